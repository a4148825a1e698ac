// A service of the mesh without a sidecar: it answers only to services that may connect to `db`.
import { connect } from 'tribune'

const db = await connect.service('db', { log: (event) => console.log(event) })
const server = await db.listenHttp((request, response) => response.end(`rows for ${db.peer(request.socket).service}\n`), {
  host: '127.0.0.1',
  register: { Address: '127.0.0.1' },
})
console.log(`db listens on ${server.port} as ${db.uri}`)

process.once('SIGTERM', stop).once('SIGINT', stop)

/** Whoever is connected has a moment to finish. */
async function stop() {
  await server.close({ drainMs: 1_000 })
  await db.close()
}
