import { createServer } from 'node:net'

/** Below the range from which the system takes the near ends of outgoing connections. */
const FROM = 22_000
const TO = 32_000
const given = new Set<number>()

/** As many ports, one after another, on which nothing listens. Each is given once in a process. */
export async function freePorts(count: number): Promise<number[]> {
  let run: number[] = []
  for (let port = FROM + Math.floor(Math.random() * (TO - FROM - 2_000)); port < TO; port++) {
    run = !given.has(port) && (await isFree(port)) ? [...run, port] : []
    if (run.length < count) continue
    for (const taken of run) given.add(taken)
    return run
  }
  throw new Error(`there are no ${count} free ports in a row between ${FROM} and ${TO}`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}
