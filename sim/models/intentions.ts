/** What an operator wants of a rule; `none`: that there is no such rule. */
export type RuleAction = 'allow' | 'deny' | 'none'

/** A change of a rule that was asked for. */
export type AskedRule = {
  source: string
  destination: string
  action: RuleAction
  askedMs: number
  /** From then on nothing that is asked can come before it. Infinity: not yet, or nobody will ever know. */
  settledMs: number
  /** Whether it surely happened. */
  isSure: boolean
}

const ANY = '*'

/**
 * What operators asked of the rules between services and were told, and what surely holds because of it: the most exact rule
 * decides, two names before any source, any source before any destination, these before the rule for everything.
 */
export class IntentionModel {
  readonly #defaultAllow: boolean
  readonly #rules = new Map<string, AskedRule[]>()
  /** Since when each pair that was looked at is surely denied, by "source > destination". */
  readonly #deniedSinceMs = new Map<string, { source: string; destination: string; sinceMs: number | undefined }>()

  constructor(defaultAllow: boolean, pairs: readonly { source: string; destination: string }[]) {
    this.#defaultAllow = defaultAllow
    for (const { source, destination } of pairs) this.follow(source, destination)
  }

  /** Looks at a pair from now on. */
  follow(source: string, destination: string): void {
    const pair = `${source} > ${destination}`
    if (this.#deniedSinceMs.has(pair)) return
    this.#deniedSinceMs.set(pair, { source, destination, sinceMs: this.#isDenied(source, destination) ? 0 : undefined })
  }

  ask(source: string, destination: string, action: RuleAction, nowMs: number): AskedRule {
    const asked: AskedRule = { source, destination, action, askedMs: nowMs, settledMs: Number.POSITIVE_INFINITY, isSure: false }
    const name = ruleName(source, destination)
    const known = this.#rules.get(name)
    if (known) known.push(asked)
    else this.#rules.set(name, [asked])
    this.#judge(nowMs)
    return asked
  }

  /** It was carried out. */
  acknowledge(asked: AskedRule, nowMs: number): void {
    Object.assign(asked, { settledMs: nowMs, isSure: true })
    const rules = this.#rules.get(ruleName(asked.source, asked.destination)) ?? []
    this.#rules.set(
      ruleName(asked.source, asked.destination),
      rules.filter((rule) => !rules.some((later) => later !== rule && later.isSure && later.askedMs >= rule.settledMs)),
    )
    this.#judge(nowMs)
  }

  /** It has not happened and will not. */
  withdraw(asked: AskedRule, nowMs: number): void {
    const name = ruleName(asked.source, asked.destination)
    this.#rules.set(
      name,
      (this.#rules.get(name) ?? []).filter((rule) => rule !== asked),
    )
    this.#judge(nowMs)
  }

  /** It may have happened; `mayCome`: or may happen still. */
  lose(asked: AskedRule, nowMs: number, mayCome: boolean): void {
    if (!mayCome) asked.settledMs = nowMs
    this.#judge(nowMs)
  }

  /** Every rule may become what it once was, until that is settled: then it was one of these, and stays so until it is changed. */
  unsettle(nowMs: number): (nowMs: number) => void {
    const asked = [...this.#rules.values()].flatMap(([first]) => {
      const { source, destination } = first ?? { source: ANY, destination: ANY }
      return (['allow', 'deny', 'none'] as const).map((action) => this.ask(source, destination, action, nowMs))
    })
    return (settledMs) => {
      for (const one of asked) this.lose(one, settledMs, false)
    }
  }

  /** Since when a connection is surely denied; undefined: it may be allowed. */
  deniedSinceMs(source: string, destination: string): number | undefined {
    return this.#deniedSinceMs.get(`${source} > ${destination}`)?.sinceMs
  }

  /** Every pair that is looked at. */
  pairs(): { source: string; destination: string }[] {
    return [...this.#deniedSinceMs.values()].map(({ source, destination }) => ({ source, destination }))
  }

  /** Pairs that are surely denied. */
  *denied(): Generator<{ source: string; destination: string; sinceMs: number }> {
    for (const { source, destination, sinceMs } of this.#deniedSinceMs.values()) {
      if (sinceMs !== undefined) yield { source, destination, sinceMs }
    }
  }

  #judge(nowMs: number): void {
    for (const pair of this.#deniedSinceMs.values()) {
      if (this.#isDenied(pair.source, pair.destination)) pair.sinceMs ??= nowMs
      else pair.sinceMs = undefined
    }
  }

  #isDenied(source: string, destination: string): boolean {
    for (const [from, to] of [
      [source, destination],
      [ANY, destination],
      [source, ANY],
      [ANY, ANY],
    ] as const) {
      const actions = this.#possible(from, to)
      if (actions.has('allow')) return false
      if (!actions.has('none')) return true
    }
    return !this.#defaultAllow
  }

  /** What a rule may be now. */
  #possible(source: string, destination: string): Set<RuleAction> {
    const rules = this.#rules.get(ruleName(source, destination)) ?? []
    const actions = new Set<RuleAction>(rules.some(({ isSure }) => isSure) ? [] : ['none'])
    for (const { action } of rules) actions.add(action)
    return actions
  }
}

function ruleName(source: string, destination: string): string {
  return `${source} => ${destination}`
}
