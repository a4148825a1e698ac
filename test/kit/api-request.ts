import type { ApiRequest } from '../../src/http/api.ts'

export type Asking = { headers?: Record<string, string>; body?: string }

/** A request as a client at 10.9.9.9 makes it. */
export function apiRequest(method: string, url: string, { headers = {}, body = '' }: Asking = {}): ApiRequest {
  const bytes = Buffer.from(body)
  const readBody: ApiRequest['readBody'] = (bytesMax, done) => done(bytes.byteLength > bytesMax ? bytes.byteLength : bytes)
  return { method, url, headers, from: '10.9.9.9', readBody }
}
