/** Everything that can go wrong with a request of this client. */
export class ClientError extends Error {
  override name = 'ClientError'
}

/** The agent answered, and said no. */
export class ResponseError extends ClientError {
  override name = 'ResponseError'
  /** HTTP status. */
  readonly status: number
  /** What the agent said, as it is. */
  readonly text: string
  readonly method: string
  readonly path: string

  constructor({ status, text, method, path }: { status: number; text: string; method: string; path: string }) {
    super(`${method} ${path}: ${status}${text === '' ? '' : ` (${text.trim()})`}`)
    this.status = status
    this.text = text
    this.method = method
    this.path = path
  }
}

/** There was no answer: nobody listens, the connection broke or time was over. A change may have happened all the same. */
export class ConnectionError extends ClientError {
  override name = 'ConnectionError'
  /** Node's code, such as ECONNREFUSED; ETIMEDOUT when time was over; '' if there is none. */
  readonly code: string

  constructor(message: string, code: string, cause?: unknown) {
    super(message, { cause })
    this.code = code
  }
}

/** The key of a lock is in use for something else. */
export class LockConflictError extends ClientError {
  override name = 'LockConflictError'
}

/** The lock could not be had in the time that was given. */
export class LockTimeoutError extends ClientError {
  override name = 'LockTimeoutError'
}

/** The session of a lock ended, or may have ended, before the lock was had. */
export class SessionLostError extends ClientError {
  override name = 'SessionLostError'
}

/** No instance of a service could be reached, or none was who it should be. */
export class DialError extends ClientError {
  override name = 'DialError'
  /** What each try came to, with its address. None: there was no healthy instance. */
  readonly tries: readonly string[]

  constructor(message: string, tries: readonly string[]) {
    super(message)
    this.tries = tries
  }
}

/** Whether it makes sense to try again: nobody answered, the cluster has no leader yet, a session was too late, or there were too many requests. */
export function isPassing(error: unknown): boolean {
  if (error instanceof ConnectionError || error instanceof SessionLostError) return true
  return error instanceof ResponseError && (error.status >= 500 || error.status === 429)
}
