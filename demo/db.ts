import { createServer } from 'node:http'

/** An ordinary HTTP service that knows nothing of a mesh. `/stream` answers without an end. */
const server = createServer((request, response) => {
  if (request.url === '/stream') {
    response.writeHead(200, { 'Content-Type': 'text/plain' })
    const ticking = setInterval(() => response.write('tick\n'), 100)
    response.on('close', () => clearInterval(ticking))
    return
  }
  response.end(request.url === '/health' ? 'ok\n' : 'three rows from db\n')
})
server.listen(8081, '127.0.0.1')
