/** What must hold between two characters. */
export type Assertion = 'text-start' | 'text-end' | 'line-start' | 'line-end' | 'word-edge' | 'no-word-edge'

/** One character out of a set. */
export type CharacterTest = (codePoint: number) => boolean

export type Pattern =
  | { kind: 'character'; test: CharacterTest }
  | { kind: 'assertion'; holds: Assertion }
  | { kind: 'all'; of: readonly Pattern[] }
  | { kind: 'either'; of: readonly Pattern[] }
  /** `max` may be Infinity. */
  | { kind: 'repeat'; of: Pattern; min: number; max: number }
