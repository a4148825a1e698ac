import { dispatch } from './cli/dispatch.ts'
import type { Io } from './cli/io.ts'
import { printable } from './kernel/printable.ts'

// A reader that went away, as in `tribune kv get -recurse | head`, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

let stopping: AbortController | undefined

const io: Io = {
  out: (line) => void process.stdout.write(`${shownOn(process.stdout, line)}\n`),
  err: (line) => void process.stderr.write(`${shownOn(process.stderr, line)}\n`),
  write: (text) => void process.stdout.write(text),
  env: process.env,
  async stdin() {
    const chunks: Buffer[] = []
    for await (const chunk of process.stdin) chunks.push(chunk)
    return Buffer.concat(chunks)
  },
  get signal() {
    stopping ??= stopOnSignals()
    return stopping.signal
  },
  ...(process.stdout.isTTY && { terminal: { size: () => process.stdout, keys } }),
  world: async () => (await import('../net/world.ts')).world,
}

const code = await dispatch(process.argv.slice(2), io)
process.exit(code)

/** Keys one by one; nothing of them is shown. Where standard input is no terminal there are none. */
function keys(pressed: (key: string) => void): () => void {
  const { stdin } = process
  if (!stdin.isTTY) return () => undefined
  const take = (bytes: Buffer) => pressed(bytes.toString('utf8'))
  stdin.setRawMode(true)
  stdin.on('data', take)
  return () => {
    stdin.off('data', take)
    stdin.setRawMode(false)
    stdin.pause()
  }
}

/** Names come from whoever registered them: on a terminal they do nothing but stand there. Programs that read along get them as they are. */
function shownOn({ isTTY }: NodeJS.WriteStream, line: string): string {
  return isTTY ? printable(line, true) : line
}

/** The first signal asks the command to end; the second ends the process. */
function stopOnSignals(): AbortController {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(1)
      controller.abort()
    })
  }
  return controller
}
