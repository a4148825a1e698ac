import type { ReloadablePart } from '../config.ts'

/** A table of keys: what each one takes, and what the program does with it. */
export type Fields = { readonly [key: string]: Field }

export type Field = LeafField | ObjectField | ListField | MapField

export type LeafField = Facts & {
  readonly type: LeafType
  /** As it would be written in a file. Without one: '', 0, false, [] or {}. */
  readonly default?: string | number | boolean | readonly string[] | Readonly<Record<string, string>>
  /** Undefined when not given, so that what follows from other keys can take its place. */
  readonly optional?: true
}
export type ObjectField = Facts & {
  readonly type: 'object'
  readonly fields: Fields
  /** The API ignores unknown fields in it. */
  readonly open?: true
}
export type ListField = Facts & { readonly type: 'list'; readonly of: Fields }
/** Objects of one kind by names of the user's choice. */
export type MapField = Facts & { readonly type: 'map'; readonly of: Fields }

/**
 * - `duration`: Go's notation in a file, milliseconds when read
 * - `port`: anything below 1 is read as -1, switched off
 * - `strings`: a list of texts; `texts`: texts by name; `text lists`: lists of texts by name; `durations`: durations by name
 * - `opaque`: an object whose keys are not looked at; `anything`: any value, not looked at
 */
export type LeafType =
  | 'string'
  | 'boolean'
  | 'int'
  | 'float'
  | 'duration'
  | 'port'
  | 'strings'
  | 'texts'
  | 'text lists'
  | 'durations'
  | 'opaque'
  | 'anything'

type Facts = {
  /** What this program does with the key. Without: it does what the key says. */
  readonly now?: Support
  /** The agent flag that sets it, without dash. */
  readonly flag?: string
  /** The part of a running agent that takes over a change. Without: a change needs a restart. */
  readonly reloadable?: ReloadablePart
  /** Other spellings in a file, in lower case. */
  readonly aliases?: readonly string[]
  /** Other spellings in an API body. There the name itself is written without underscores, in any case. */
  readonly apiAliases?: readonly string[]
}

/**
 * - `works`: does what it says
 * - `own`: does what it says, which is nothing that Consul knows
 * - `harmless`: accepted, because it has no meaning here, or only what it does anyway
 * - `refused`: would change something that this version cannot do; only its default and an empty value are accepted
 * - `only`: the values that are accepted, and why no others; `simulated` is what stands for any other one in a simulation
 * - `enterprise`, `deprecated`: accepted with a warning, no effect
 */
export type Support =
  | 'works'
  | 'own'
  | 'harmless'
  | 'refused'
  | 'enterprise'
  | 'deprecated'
  | { readonly only: readonly unknown[]; readonly why?: string; readonly simulated?: string }

type LeafValue<Type extends LeafType> = Type extends 'string'
  ? string
  : Type extends 'boolean'
    ? boolean
    : Type extends 'int' | 'float' | 'duration' | 'port'
      ? number
      : Type extends 'strings'
        ? string[]
        : Type extends 'texts'
          ? Record<string, string>
          : Type extends 'text lists'
            ? Record<string, string[]>
            : Type extends 'durations'
              ? Record<string, number>
              : Type extends 'opaque'
                ? Record<string, unknown>
                : unknown

/** The values somebody gave. */
export type Given<Table extends Fields> = { -readonly [Key in keyof Table]?: GivenValue<Table[Key]> }
type GivenValue<F extends Field> = F extends { type: 'object'; fields: infer Inner extends Fields }
  ? Given<Inner>
  : F extends { type: 'list'; of: infer Inner extends Fields }
    ? Given<Inner>[]
    : F extends { type: 'map'; of: infer Inner extends Fields }
      ? Record<string, Given<Inner>>
      : F extends { type: infer Type extends LeafType }
        ? LeafValue<Type>
        : never

/** All values, those not given as their defaults. Lists have what was given. */
export type Complete<Table extends Fields> = { readonly [Key in keyof Table]: CompleteValue<Table[Key]> }
type CompleteValue<F extends Field> = F extends { type: 'object'; fields: infer Inner extends Fields }
  ? Complete<Inner>
  : F extends { optional: true }
    ? GivenValue<F> | undefined
    : GivenValue<F>
