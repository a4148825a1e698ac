import { threadRef } from '../../../actors/thread.ts'
import type { ActorStats } from '../../kernel/instance.ts'
import { isRefused } from '../../kernel/refusal.ts'
import { beginsLater } from '../../placement.ts'
import type { Route } from '../route.ts'

/** GET /v1/tribune/actors: one row for every actor of this agent. */
export const actorsRoute: Route = {
  method: 'GET',
  path: '/v1/tribune/actors',
  async run(_request, { asked, settings }) {
    const answers = await Promise.all(settings.threads.map((_roles, thread) => asked(threadRef(thread), 'stats', null, 2_000)))
    const rows = answers.flatMap((answer, thread): object[] => {
      const roles = settings.threads[thread] ?? []
      // One that has not begun has no actors.
      if (isRefused(answer) && answer.refused === 'gone' && beginsLater(settings.threads, thread)) return []
      if (isRefused(answer)) return [{ Thread: `${thread} ${roles.join('+')}`, Actor: '', Unavailable: answer.why }]
      return answer.map((row) => shown(row, roles))
    })
    return { json: rows }
  },
}

function shown(
  { thread, actor, key, mailbox, mailboxMax, messages, busyMs, restarts, dropped, ageMs }: ActorStats,
  roles: readonly string[],
): object {
  return {
    Thread: `${thread} ${roles.join('+')}`,
    Actor: actor,
    Key: key,
    Mailbox: mailbox,
    MailboxMax: mailboxMax,
    Messages: messages,
    BusyMs: Math.round(busyMs * 1_000) / 1_000,
    Restarts: restarts,
    Dropped: dropped,
    AgeMs: Math.round(ageMs),
  }
}
