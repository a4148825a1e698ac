import type { Stream } from '@libp2p/interface'
import type { GossipAddress } from '../../src/kernel/ports.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { createLinks as createCommonLinks, type LinkStream, type LinksOptions, type Links as LinksOver } from '../../src/links.ts'
import { realClock } from '../clock.ts'
import { type FrameOptions, frameStream } from './frames.ts'

export type StreamLinksOptions = FrameOptions &
  Pick<LinksOptions, 'node' | 'layout' | 'asking' | 'strangerMs'> & {
    /** A stream to another agent, over a connection of its own. Refused with `gone`. */
    open(peer: string, address: GossipAddress): Promise<Result<Stream>>
  }

export type Links = Omit<LinksOver, 'accept'> & {
  /** A stream that another agent has opened. */
  accept(peer: string, stream: Stream): void
}

/** Links with other agents over streams of libp2p. */
export function createLinks({ open, pingMs, silenceMsMax, ...options }: StreamLinksOptions): Links {
  const frames = { ...(pingMs !== undefined && { pingMs }), ...(silenceMsMax !== undefined && { silenceMsMax }) }
  const linkStream = (stream: Stream): LinkStream => ({
    begin: (events) => frameStream(stream, events, frames),
    abort: (why) => stream.abort(new Error(why)),
  })
  const links = createCommonLinks({
    ...options,
    open(peer, address, done) {
      void open(peer, address).then((stream) => done(isRefused(stream) ? stream : linkStream(stream)))
    },
    after: realClock.after,
    monotonicMs: realClock.monotonicMs,
  })
  return { ...links, accept: (peer, stream) => links.accept(peer, linkStream(stream)) }
}
