// Asks `db` over the mesh, as `web`, for each request that it gets in plain HTTP.
import { createServer, get } from 'node:http'
import { connect } from 'tribune'

const web = await connect.service('web', { log: (event) => console.log(event) })
const agent = web.agent()

const server = createServer((_request, response) => {
  get({ agent, hostname: 'db.service.consul' }, (answer) => answer.pipe(response)).on('error', (error) => {
    response.writeHead(502)
    response.end(`${error.message}\n`)
  })
})
server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
  console.log(`web listens on http://127.0.0.1:${server.address().port}`)
})

process.once('SIGTERM', stop).once('SIGINT', stop)

async function stop() {
  server.close()
  server.closeAllConnections()
  await web.close()
}
