import { lstatSync, rmSync } from 'node:fs'
import { connect } from 'node:net'

/** Removes a socket that nobody listens on any more. Other files stay: whoever names a path must not thereby remove what is there. */
export function dropStaleSocket(path: string): Promise<void> {
  return new Promise((resolve) => {
    if (!isSocket(path)) return resolve()
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

/** To connect to a file of another kind fails as to a socket without a listener. A path that cannot be looked at is left to whoever listens. */
function isSocket(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false
  } catch {
    return false
  }
}
