import { setTimeout as wait } from 'node:timers/promises'
import type { ACMPCAClient } from '@aws-sdk/client-acm-pca'
import { isRefused, type RefusalCode, type Result, refuse } from '../../src/kernel/refusal.ts'

export type AwsSdk = typeof import('@aws-sdk/client-acm-pca')
/** How the SDK is found; it is not among what an agent needs by itself. */
export type LoadAwsSdk = () => Promise<AwsSdk>
/** The SDK and a connection. Region, credentials and endpoint are what the SDK finds in the environment and its files. */
export type Aws = { sdk: AwsSdk; client: ACMPCAClient }

export const loadAwsSdk: LoadAwsSdk = () => import('@aws-sdk/client-acm-pca')

/** One connection for all who ask. */
export function openAws(load: LoadAwsSdk): () => Promise<Result<Aws>> {
  let known: Aws | undefined
  return async () => {
    if (known) return known
    try {
      const sdk = await load()
      known = { sdk, client: new sdk.ACMPCAClient({ maxAttempts: ATTEMPTS_MAX }) }
      return known
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
      if (!isMissing) return refuse('invalid', `the provider aws-pca could not load @aws-sdk/client-acm-pca: ${messageOf(error)}`)
      return refuse('invalid', 'the provider aws-pca needs a package that is not installed: npm install @aws-sdk/client-acm-pca')
    }
  }
}

/** An answer of AWS, or its refusal with its text. `about`: the key of the configuration that it is about, or what was asked. */
export async function asked<Answer>(
  about: string,
  send: (options: { abortSignal: AbortSignal }) => Promise<Answer>,
): Promise<Result<Answer>> {
  try {
    return await send({ abortSignal: AbortSignal.timeout(REQUEST_MS_MAX) })
  } catch (error) {
    const name = error instanceof Error ? error.name : ''
    const [code, hint] = codeOf(name, messageOf(error))
    return refuse(code, `${about}: ${hint}${messageOf(error)}`)
  }
}

/** Asks again, later and later, until something is found or refused for good. */
export async function polled<Found>(
  { about, withinMs }: { about: string; withinMs: number },
  look: () => Promise<Result<Found> | undefined>,
): Promise<Result<Found>> {
  const untilMs = performance.now() + withinMs
  for (let pauseMs = POLL_MS_MIN; ; pauseMs = Math.min(POLL_MS_MAX, pauseMs * 1.5)) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() + pauseMs > untilMs) return refuse('late', `${about}: AWS was not done within ${withinMs} ms`)
    await wait(pauseMs)
  }
}

/** Whether a refusal says that something is still being made. */
export function isInProgress(result: unknown): boolean {
  return isRefused(result) && result.refused === 'busy' && result.why.includes(IN_PROGRESS)
}

const ATTEMPTS_MAX = 4
const REQUEST_MS_MAX = 8_000
const POLL_MS_MIN = 50
const POLL_MS_MAX = 2_000
const IN_PROGRESS = 'in progress: '

const CREDENTIALS =
  /^(CredentialsProviderError|UnrecognizedClientException|InvalidSignatureException|ExpiredTokenException|InvalidClientTokenId|MissingAuthenticationTokenException|IncompleteSignature)$/
const BUSY =
  /^(ThrottlingException|TooManyRequestsException|LimitExceededException|ServiceUnavailable|InternalFailure|InternalServerError|InternalServiceException|RequestFailedException|ConcurrentModificationException)$/

function codeOf(name: string, why: string): [code: RefusalCode, hint: string] {
  if (name === 'RequestInProgressException') return ['busy', IN_PROGRESS]
  if (CREDENTIALS.test(name)) return ['forbidden', 'AWS credentials (environment, files or role): ']
  if (/^AccessDenied/.test(name)) return ['forbidden', '']
  if (name === 'TimeoutError' || name === 'AbortError') return ['late', 'no answer of AWS in time: ']
  if (/region is missing/i.test(why)) return ['invalid', 'AWS_REGION is not set, nor in the files of AWS: ']
  if (BUSY.test(name)) return ['busy', '']
  return [name.endsWith('Exception') ? 'invalid' : 'busy', '']
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const text = error instanceof AggregateError ? error.errors.map(String).join('; ') : error.message
  return text === '' ? error.name : text
}
