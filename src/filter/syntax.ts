/** How a selector is compared with a value, in the words of Consul's errors. */
export type Operator = 'Equal' | 'Not Equal' | 'In' | 'Not In' | 'Is Empty' | 'Is Not Empty' | 'Matches' | 'Not Matches'

/** A comparison. `value` is undefined where the operator needs none. */
export type Match = { kind: 'match'; path: readonly string[]; operator: Operator; value: string | undefined }

/** A filter expression as it was written, without its parentheses. */
export type Expression =
  | { kind: 'or'; of: readonly Expression[] }
  | { kind: 'and'; of: readonly Expression[] }
  | { kind: 'not'; of: Expression }
  | Match
