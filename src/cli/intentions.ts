import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import type { HttpClient, HttpReply } from './http.ts'
import type { Io } from './io.ts'

/** An intention as the API shows it. */
export type Intention = {
  ID?: string
  Description?: string
  SourceNS?: string
  SourceName: string
  DestinationNS?: string
  DestinationName: string
  Action?: string
  Permissions?: readonly unknown[]
  Meta?: Record<string, string> | null
  Precedence?: number
  CreatedAt?: string
}

/** `web => db (allow)`. */
export function intentionText(intention: Intention): string {
  const permissions = intention.Permissions?.length ?? 0
  const action = permissions > 0 ? `${permissions} permissions` : (intention.Action ?? '')
  return `${sourceOf(intention)} => ${destinationOf(intention)} (${action})`
}

export function sourceOf({ SourceNS, SourceName }: Intention): string {
  return fullName(SourceNS, SourceName)
}

export function destinationOf({ DestinationNS, DestinationName }: Intention): string {
  return fullName(DestinationNS, DestinationName)
}

/** Says what the agent has to say about what was written. */
export function warn(io: Pick<Io, 'err'>, { warnings }: Pick<HttpReply, 'warnings'>): void {
  for (const warning of warnings) io.err(`Warning: ${warning}`)
}

/** Splits `namespace/name`. A plain name has no namespace. */
export function splitName(text: string): Result<{ name: string; namespace: string | undefined }> {
  const parts = text.split('/')
  if (parts.length > 2) return refuse('invalid', `invalid service name ${JSON.stringify(text)}: may have at most one "/"`)
  const [first = '', second] = parts
  if (first === '' || second === '') return refuse('invalid', `invalid service name ${JSON.stringify(text)}: must not be empty`)
  return second === undefined ? { name: first, namespace: undefined } : { name: second, namespace: first }
}

/** Finds an intention by its two services. Absent if there is none. */
export async function findIntention(http: HttpClient, source: string, destination: string): Promise<Result<{ found?: Intention }>> {
  const reply = await http.request('GET', '/v1/connect/intentions/exact', { params: { source, destination }, also: [404] })
  if (isRefused(reply)) return reply
  if (reply.status === 404) return {}
  // The shape is the API's promise.
  return { found: JSON.parse(reply.body.toString('utf8')) as Intention }
}

export function noSuchIntention(source: string, destination: string): string {
  return `Intention not found with source ${JSON.stringify(source)} and destination ${JSON.stringify(destination)}`
}

function fullName(namespace: string | undefined, name: string): string {
  return namespace === undefined || namespace === '' || namespace === 'default' ? name : `${namespace}/${name}`
}
