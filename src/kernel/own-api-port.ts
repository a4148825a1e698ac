/** This agent's own interfaces. An asker has one question under way: another one, or `forget`, refuses the one before with `gone`. */
export type OwnApiRequest =
  /** `url`: the path with its query. Blocks as it does for everybody. */
  | { do: 'get'; asker: string; url: string; token: string }
  /** A request that came to the agent `node`, which this one answers as if it had come here. Fills `exchange`. */
  | { do: 'exchange'; asker: string; node: string; request: HttpAsked }
  /** A DNS question that came to the agent `node`. Fills `records`. `invalid` if it is none. */
  | { do: 'question'; asker: string; node: string; question: DnsAsked }
  | { do: 'forget'; asker: string }
/** `index` is decimal, `hash` what an answer without an index has instead; '' where there is none. */
export type OwnApiAnswer = { status: number; index: string; hash: string; text: string; exchange?: HttpAnswered; records?: object }
/** A whole HTTP request. Names of headers are in lower case; `from` is the client's IP address. */
export type HttpAsked = {
  method: string
  url: string
  headers: Record<string, string | string[]>
  body: Uint8Array
  from: string
  /** For whoever has other addresses for other datacenters, those are wanted. */
  wanAddresses?: boolean
  /** It came from another datacenter and is for this one: whoever is of another one refuses it, so nothing goes in circles. */
  datacenter?: string
}
/** `headers`: names and values in turn, without the content type, which is '' where there is none. */
export type HttpAnswered = { status: number; headers: string[]; type: string; bytes: Uint8Array }
/** What net/dns asks itself, by the settings of the agent that was asked: see net/dns/far.ts. `datacenter`: as with HTTP. */
export type DnsAsked = { name: string; type: number; settings: object; turn: object; datacenter?: string }
