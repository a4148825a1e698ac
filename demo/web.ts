import { createServer, get } from 'node:http'

/** Where web finds its database: a port on its own machine. */
const DATABASE = 'http://127.0.0.1:9191'

/** An ordinary HTTP service that asks another one. It knows nothing of a mesh either. */
const server = createServer((request, response) => {
  if (request.url === '/health') return void response.end('ok\n')
  const asked = get(`${DATABASE}${request.url}`, { agent: false }, (answer) => {
    response.writeHead(answer.statusCode ?? 502)
    response.write('web got: ')
    answer.pipe(response)
    answer.on('error', () => response.destroy())
  })
  asked.on('error', (error) => {
    if (response.headersSent) return void response.destroy()
    response.writeHead(502)
    response.end(`web got nothing: ${error.message}\n`)
  })
})
server.listen(8080, '127.0.0.1')
