import type { Config } from './config/config.ts'
import type { Devices, ProcessOutcome } from './kernel/ports.ts'
import { isRefused, type Result, refuse } from './kernel/refusal.ts'
import { LogWatch } from './log-watch.ts'
import type { Telemetry } from './telemetry/index.ts'
import type { Logger, Threads, World } from './world.ts'

export type ProcessDeviceOptions = {
  logger: Logger
  world: Pick<World, 'hostFacts'>
  config(): Config
  /** Undefined while the agent starts. */
  threads(): Threads | undefined
  telemetry(): Telemetry | undefined
  reload(): Promise<Result<ProcessOutcome>>
  leave(): void
}

const STARTING = refuse('busy', 'the agent is still starting')

/** The process's own life, its log and its measurements, for the actor that is asked about them. */
export function processDevice({ logger, world, config, threads, telemetry, reload, leave }: ProcessDeviceOptions): Devices['process'] {
  const watch = new LogWatch({
    listen(level) {
      logger.listen(level, (entry) => watch.add(entry))
      threads()?.printFrom(level)
    },
    after(ms, work) {
      const timer = setTimeout(work, ms)
      timer.unref()
      return () => clearTimeout(timer)
    },
  })
  return {
    perform(request, done) {
      switch (request.do) {
        case 'reload':
          return void reload().then(done)
        case 'leave':
          done({ warnings: [] })
          return void setImmediate(leave)
        case 'host':
          return done({ warnings: [], host: world.hostFacts(config().dataDir || '/') })
        case 'metrics': {
          const from = telemetry()
          if (from === undefined) return done(STARTING)
          const shown = from.show(request.format)
          return void shown.then((metrics) => done(isRefused(metrics) ? metrics : { warnings: [], metrics }))
        }
        case 'log':
          return watch.read(request, (log) => done(isRefused(log) ? log : { warnings: [], log }))
      }
    },
  }
}
