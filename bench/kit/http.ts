import { Agent, request } from 'node:http'

const ERROR_CHARACTERS_MAX = 200
const pool = new Agent({ keepAlive: true, maxSockets: 256 })

export type HttpAnswer = { status: number; text: string; index: number }

/** Asks once. A body that is not text is sent as JSON. Rejects when nobody answers. */
export function ask(method: string, url: string, body?: unknown, { fresh = false } = {}): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, agent: fresh ? false : pool }, (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', reject)
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          text: Buffer.concat(chunks).toString(),
          index: Number(incoming.headers['x-consul-index'] ?? 0),
        }),
      )
    })
    outgoing.on('error', reject)
    outgoing.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body))
  })
}

/** The same, and anything but 200 is an error. */
export async function done(method: string, url: string, body?: unknown): Promise<HttpAnswer> {
  const answer = await ask(method, url, body)
  if (answer.status === 200) return answer
  throw new Error(`${method} ${url}: ${answer.status} ${answer.text.slice(0, ERROR_CHARACTERS_MAX)}`)
}

/** Does all of it with so many at a time. */
export async function manyAtOnce(count: number, width: number, work: (number: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: width }, worker))
}
