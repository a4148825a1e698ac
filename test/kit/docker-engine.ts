import { createServer, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { temporaryDirectory } from './temporary-directory.ts'

/** What a program in a container does. `hangs`: it never ends. */
export type ContainerProgram = { output: string; exitCode: number } | 'hangs'

/**
 * A small engine of Docker behind a socket of its own: one container, `box`, whose programs are found by their first word; others
 * end with 127. `paused` is a container that is paused. `DOCKER_HOST` is set to it; tests that use it run one after the other.
 */
export async function dockerEngine(
  t: ExecutionContext,
  programs: Readonly<Record<string, ContainerProgram>>,
): Promise<{ asked: string[] }> {
  const asked: string[] = []
  const started: string[] = []
  const server = createServer(async (request, response) => {
    const { method, url = '' } = request
    asked.push(`${method} ${url} ${request.headers.host}`)
    const tell = (status: number, body: object) =>
      void response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
    const [, container] = /^\/containers\/([^/]+)\/exec$/.exec(url) ?? []
    if (container !== undefined) {
      const { Cmd } = (await bodyOf(request)) as { Cmd: string[] }
      if (container === 'paused') return tell(409, { message: 'Container paused is paused' })
      if (container === 'broken') return tell(500, { message: 'no room' })
      if (container !== 'box') return tell(404, { message: `No such container: ${container}` })
      return tell(201, { Id: `exec${started.push(Cmd[0] ?? '') - 1}` })
    }
    const [, number, verb] = /^\/exec\/exec(\d+)\/(start|json)$/.exec(url) ?? []
    const program = programs[started[Number(number)] ?? ''] ?? { output: 'not found', exitCode: 127 }
    if (program === 'hangs') return void response.flushHeaders()
    if (verb === 'json') return tell(200, { ExitCode: program.exitCode, Running: false })
    await bodyOf(request)
    response.writeHead(200, { 'Content-Type': 'application/vnd.docker.raw-stream' }).end(program.output)
  })
  const socketPath = join(temporaryDirectory(t), 'docker.sock')
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socketPath, resolve))
  const before = process.env.DOCKER_HOST
  process.env.DOCKER_HOST = `unix://${socketPath}`
  t.teardown(() => {
    if (before === undefined) delete process.env.DOCKER_HOST
    else process.env.DOCKER_HOST = before
    server.closeAllConnections()
    server.close()
  })
  return { asked }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return text === '' ? {} : JSON.parse(text)
}
