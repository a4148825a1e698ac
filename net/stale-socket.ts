import { rmSync } from 'node:fs'
import { connect } from 'node:net'

/** Removes the file of a socket that nobody listens on any more. */
export function dropStaleSocket(path: string): Promise<void> {
  return new Promise((resolve) => {
    const attempt = connect(path)
    attempt.once('connect', () => {
      attempt.destroy()
      resolve()
    })
    attempt.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') rmSync(path, { force: true })
      resolve()
    })
  })
}
