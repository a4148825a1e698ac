import { connect } from 'node:net'
import { type Result, refuse } from '../kernel/refusal.ts'
import type { Access } from './access.ts'

const ANSWER_WITHIN_MS = 5_000

/** Asks HAProxy's runtime interface one question; the answer without its empty lines at the end. */
export function ask(path: string, command: string): Promise<Result<string>> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = connect(path)
    socket.setTimeout(ANSWER_WITHIN_MS, () => socket.destroy(new Error(`no answer within ${ANSWER_WITHIN_MS} ms`)))
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('error', (error) => resolve(refuse('gone', `HAProxy does not answer ${path}: ${error.message}`)))
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('utf8').trim()))
    // It closes once it has answered all; an early end of this side would cancel what is still under way.
    socket.write(`${command}\n`)
  })
}

/** A command whose success is said by a text. */
export async function told(path: string, command: string, success: RegExp): Promise<Result<string>> {
  const answer = await ask(path, command)
  if (typeof answer !== 'string') return answer
  return success.test(answer)
    ? answer
    : refuse('conflict', `HAProxy answered ${JSON.stringify(answer)} to ${JSON.stringify(command.split('\n')[0])}`)
}

/** Puts a certificate with its chain and key in place of what HAProxy has under that path. */
export async function replaceCertificate(path: string, file: string, pem: string): Promise<Result<string>> {
  // An empty line ends a text.
  const text = pem.replaceAll(/\n+/g, '\n').trim()
  const set = await told(path, `set ssl cert ${file} <<\n${text}\n`, /transaction (created|updated)/i)
  // A dot for each listener and server that shows it from now on: without any, nothing has changed, although it says "Success!".
  return typeof set === 'string' ? told(path, `commit ssl cert ${file}`, /^Committing [^\n]+?\.pem\.+\s*\nSuccess!/) : set
}

/** Puts a whole map in place of the one before, in one step. */
export async function replaceMap(path: string, file: string, access: Access): Promise<Result<string>> {
  const prepared = await told(path, `prepare map ${file}`, /New version created: (\d+)/)
  if (typeof prepared !== 'string') return prepared
  const version = /New version created: (\d+)/.exec(prepared)?.[1] ?? ''
  const entries = [...access].map(([key, verdict]) => `${key} ${verdict}`)
  const added = await told(path, `add map @${version} ${file} <<\n${entries.join('\n')}\n`, /^$/)
  return typeof added === 'string' ? told(path, `commit map @${version} ${file}`, /^$/) : added
}

/** `frontend` is where it came in. */
export type Session = { id: string; from: string; frontend: string }

/** The connections of a process by `show sess`. */
export function sessionsIn(text: string): Session[] {
  return text.split('\n').flatMap((line) => {
    const [, id, from, frontend] = /^(0x[0-9a-f]+): .*?\bsrc=(\S+) fe=(\S+)/.exec(line) ?? []
    return id === undefined || from === undefined || frontend === undefined ? [] : [{ id, from, frontend }]
  })
}

/** Who was admitted, by the client's address and port. Source: `show mesh` of ./lua.ts. */
export function admittedIn(text: string): Map<string, string> {
  return new Map(
    text.split('\n').flatMap((line): [string, string][] => {
      const [from, key] = line.split(' ')
      return from && key ? [[from, key]] : []
    }),
  )
}
