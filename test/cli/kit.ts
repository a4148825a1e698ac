import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { dispatch } from '../../src/cli/dispatch.ts'
import type { Io } from '../../src/cli/io.ts'

/** What a command said and how it ended. */
export type Outcome = { code: number; out: string; err: string }

/** One request as the fake agent saw it. */
export type Seen = { method: string; url: string; headers: http.IncomingHttpHeaders; body: string }

/** What the fake agent answers: a value as JSON with status 200, or all of it. */
export type Answer = { status?: number; json?: unknown; text?: string; headers?: Record<string, string> }

export type FakeAgent = { address: string; seen: Seen[]; close(): void }

/** Runs a command line as the program would, without a process. */
export async function runCommand(
  args: readonly string[],
  {
    env = {},
    stdin = '',
    signal,
    terminal,
  }: { env?: Record<string, string>; stdin?: string; signal?: AbortSignal; terminal?: NonNullable<Io['terminal']> } = {},
): Promise<Outcome> {
  const outcome: Outcome = { code: 0, out: '', err: '' }
  const io: Io = {
    out: (line) => {
      outcome.out += `${line}\n`
    },
    err: (line) => {
      outcome.err += `${line}\n`
    },
    write: (text) => {
      outcome.out += typeof text === 'string' ? text : Buffer.from(text).toString('utf8')
    },
    env,
    stdin: async () => Buffer.from(stdin),
    ...(signal === undefined ? {} : { signal }),
    ...(terminal === undefined ? {} : { terminal }),
  }
  outcome.code = await dispatch(args, io)
  return outcome
}

/**
 * Serves fixed answers by method and path, such as `GET /v1/kv/x`, on a socket of its own. Anything else gets 404 with an empty
 * body.
 */
export async function fakeAgent(answers: Readonly<Record<string, Answer | ((seen: Seen) => Answer)>>): Promise<FakeAgent> {
  const seen: Seen[] = []
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const url = request.url ?? ''
      const one = { method: request.method ?? '', url, headers: request.headers, body: Buffer.concat(chunks).toString('utf8') }
      seen.push(one)
      const found = answers[`${one.method} ${url.split('?')[0]}`] ?? { status: 404 }
      const { status = 200, json, text, headers = {} } = typeof found === 'function' ? found(one) : found
      response.writeHead(status, headers)
      response.end(text ?? (json === undefined ? '' : JSON.stringify(json)))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { address: `127.0.0.1:${port}`, seen, close: () => void server.close() }
}

/** Runs a command against a fake agent and ends it. The requests it made are in `seen`, as `METHOD url body`. */
export async function tryCommand(
  args: readonly string[],
  answers: Parameters<typeof fakeAgent>[0],
  options: Parameters<typeof runCommand>[1] = {},
): Promise<Outcome & { seen: string[]; requests: Seen[] }> {
  const agent = await fakeAgent(answers)
  const outcome = await runCommand(args, { ...options, env: { CONSUL_HTTP_ADDR: agent.address, ...options.env } })
  agent.close()
  return {
    ...outcome,
    seen: agent.seen.map(({ method, url, body }) => `${method} ${url}${body === '' ? '' : ` ${body}`}`),
    requests: agent.seen,
  }
}
