import type { Server } from 'node:net'
import type { ExecutionContext } from 'ava'

/** Lets a server listen on a free port of this machine until the test ends. Answers the port. */
export async function listening(t: ExecutionContext, server: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(() => server.close())
  return portOf(server)
}

/** A port on which nothing listens: one that was just given back. */
export async function closedPort(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const port = portOf(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

function portOf(server: Server): number {
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the server listens on a port')
  return address.port
}
