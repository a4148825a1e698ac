import { createServer } from 'node:net'

/**
 * A service as cheap as can be, so that what is in front of it is measured: `GET /stream` gets bytes without end, anything else
 * a short answer. Told its port by its first argument.
 */
const SHORT = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n'
const STAYS = Buffer.from(`${SHORT}\r\nok\n`)
const CLOSES = Buffer.from(`${SHORT}Connection: close\r\n\r\nok\n`)
const ENDLESS_HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n\r\n'
const CHUNK = Buffer.alloc(512 * 1_024)

const server = createServer({ noDelay: true }, (socket) => {
  const stream = () => {
    while (socket.writable && socket.write(CHUNK));
  }
  socket.on('error', () => socket.destroy())
  socket.on('data', (bytes: Buffer) => {
    const request = bytes.toString('latin1')
    if (request.startsWith('GET /stream')) {
      socket.write(ENDLESS_HEAD)
      socket.on('drain', stream)
      return stream()
    }
    if (/^connection: close/im.test(request)) return void socket.end(CLOSES)
    for (let at = request.indexOf('\r\n\r\n'); at >= 0; at = request.indexOf('\r\n\r\n', at + 4)) socket.write(STAYS)
  })
})
server.listen(Number(process.argv[2]), '127.0.0.1')
