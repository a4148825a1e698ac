import { caRef } from '../actors/ca/protocol.ts'
import { configEntriesRef } from '../actors/config-entries/index.ts'
import { formationRef } from '../actors/formation/protocol.ts'
import { localRef } from '../actors/local/protocol.ts'
import { membershipRef, wanMembershipRef } from '../actors/membership/protocol.ts'
import { proxiesRef } from '../actors/proxies/protocol.ts'
import { watchesRef } from '../actors/watches/protocol.ts'
import type { Io } from './cli/io.ts'
import type { Config, PoolConfig } from './config/config.ts'
import { loadAgentConfig, reloadDifference } from './config/index.ts'
import { type JoiningOptions, joinOthers } from './joining.ts'
import type { Ports, ProcessOutcome } from './kernel/ports.ts'
import { isRefused, type Result, refuse } from './kernel/refusal.ts'
import { beginsLater, type Layout, layoutOf } from './placement.ts'
import { processDevice } from './process-device.ts'
import { startTelemetry, type Telemetry } from './telemetry/index.ts'
import { COMPATIBLE_VERSION, VERSION } from './version.ts'
import type { Threads, World } from './world.ts'

/** A second signal, or this long without an end, ends the process at once. */
const GRACE_MS = 15_000
const HALT_WITHIN_MS = 2_000
const RELOAD_WITHIN_MS = 30_000
/** The others need a second to be told; whoever cannot tell them goes anyway. */
const LEAVE_WITHIN_MS = 5_000
/** The servers' etcd may be electing a leader just now. */
const LEAVE_SERVERS_WITHIN_MS = 10_000
/** No sidecar waits for longer than a day. */
const DRAIN_WITHIN_MS = 86_410_000

/** `tribune agent`: runs until it is told to stop. The answer is the exit code. */
export async function runAgent(args: string[], io: Io, world: World): Promise<number> {
  const loaded = await loadAgentConfig(args, io)
  if (typeof loaded === 'number') return loaded
  for (const warning of loaded.warnings) io.err(`==> WARNING: ${warning}`)
  const config = identified(loaded.config, world)
  if (isRefused(config)) {
    io.err(`==> ${config.why}`)
    return 1
  }
  const opened = world.createLogger(config.log, io.write)
  if (isRefused(opened)) {
    io.err(`==> ${opened.why}`)
    return 1
  }
  const logger = opened
  let current = config
  let stop: (code: number) => void = () => undefined
  const stopped = new Promise<number>((resolve) => {
    stop = resolve
  })

  let threads: Threads | undefined
  let telemetry: Telemetry | undefined
  async function reload(): Promise<Result<ProcessOutcome>> {
    if (threads === undefined) {
      logger.print('warn', 'agent', 'Not reloading: the agent is still starting')
      return refuse('busy', 'the agent is still starting')
    }
    logger.print('info', 'agent', 'Reloading configuration...')
    const read = await loadAgentConfig(args, { ...io, err: (line) => logger.print('error', 'agent', line) })
    if (typeof read === 'number') return { refused: 'invalid', why: 'the configuration cannot be used; the log has the reasons' }
    const next = identified(read.config, world, current)
    if (isRefused(next)) return next
    const { needsRestart } = reloadDifference(current, next)
    const warnings = [...read.warnings, ...needsRestart.map((key) => `${key} has changed; it takes effect at the next start`)]
    for (const warning of warnings) logger.print('warn', 'agent', warning)
    current = next
    logger.setLevel(next.log.level)
    threads.reconfigure(next)
    const definitions = { services: [...next.services], checks: [...next.checks] }
    const settings = { nodeMeta: { ...next.node.meta }, discardCheckOutput: next.check.discardOutput }
    const result = await threads.host.asked(localRef, 'reload', { ...definitions, ...settings }, RELOAD_WITHIN_MS)
    const ofServers = next.server ? [bootstrapEntries(threads.host, next), refreshCa(threads.host)] : []
    const rest = await Promise.all([watch(threads.host, next), ...ofServers])
    return [result, ...rest].find(isRefused) ?? { warnings }
  }

  /** Before all threads are there, it waits for that. */
  async function endNow(): Promise<void> {
    hurried = true
    if (threads === undefined) return
    const hasHalted = await threads.halt(HALT_WITHIN_MS)
    removePid()
    if (!hasHalted) process.kill(process.pid, 'SIGKILL')
    process.exit(1)
  }

  let hurried = false
  let removePid = (): void => undefined
  let signals = 0
  const onSignal = (name: string, leaves: boolean) => () => {
    logger.print('info', 'agent', 'Caught', { signal: name })
    if (++signals > 1) return void endNow()
    logger.print('info', 'agent', leaves ? 'Gracefully shutting down agent...' : 'Shutting down without leaving the cluster')
    stop(leaves ? 0 : 1)
  }
  const ignoreSignals = world.onSignals({
    SIGINT: onSignal('interrupt', !config.leave.skipOnInterrupt),
    SIGTERM: onSignal('terminated', config.leave.onTerminate),
    SIGHUP: () => void reload(),
  })
  const crashed = (error: unknown) => {
    logger.print('error', 'agent', 'cannot go on', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    if (threads === undefined) process.exit(1)
    void endNow()
  }
  process.on('uncaughtException', crashed)
  io.out('==> Starting Tribune agent...')
  const layout = layoutOf(config, world.cores)
  const started = await world.startThreads({
    config,
    layout,
    print: logger.print,
    process: processDevice({
      logger,
      world,
      config: () => current,
      threads: () => threads,
      telemetry: () => telemetry,
      reload,
      leave: () => stop(0),
    }),
    fatal(why) {
      logger.print('error', 'agent', `cannot go on: ${why}`)
      stop(1)
    },
  })
  if (isRefused(started)) {
    io.err(`==> ${started.why}`)
    return 1
  }
  threads = started
  telemetry = startTelemetry({ host: threads.host, layout, config: () => current, world })
  if (hurried) await endNow()
  const written = config.pidFile === '' ? removePid : world.writePid(config.pidFile)
  if (isRefused(written)) {
    io.err(`==> ${written.why}`)
    await threads.close()
    return 1
  }
  removePid = written
  banner(config, layout, threads.listening, io)
  logger.print('info', 'agent', 'Tribune agent running!')

  joining(threads.host, config, logger.print, stopped, (why) => {
    logger.print('error', 'agent', why)
    stop(1)
  })

  const code = await stopped
  // Sidecars that wait for their connections do so for as long as they are told to.
  await threads.host.asked(proxiesRef, 'drain', null, DRAIN_WITHIN_MS)
  if (code === 0 && config.etcd?.own) await threads.host.asked(formationRef, 'leave', null, LEAVE_SERVERS_WITHIN_MS)
  if (code === 0 && config.gossip?.wan) await threads.host.asked(wanMembershipRef, 'leave', null, LEAVE_WITHIN_MS)
  if (code === 0 && config.gossip) await threads.host.asked(membershipRef, 'leave', null, LEAVE_WITHIN_MS)
  telemetry.close()
  const tooLong = setTimeout(() => void endNow(), GRACE_MS)
  await threads.close()
  clearTimeout(tooLong)
  removePid()
  logger.print('info', 'agent', 'Exit code', { code })
  ignoreSignals()
  process.off('uncaughtException', crashed)
  return code
}

/** Becomes a member of its pools as the configuration says. Ends with the agent, without a refusal. */
function joining(
  host: Threads['host'],
  { gossip }: Config,
  print: Ports['print'],
  stopped: Promise<number>,
  failed: (why: string) => void,
): void {
  let isEnding = false
  const ending = stopped.then(() => {
    isEnding = true
  })
  const wait = (ms: number) =>
    new Promise<boolean>((resolve) => {
      const timer = setTimeout(resolve, ms, true)
      void ending.then(() => {
        clearTimeout(timer)
        resolve(false)
      })
    })
  const join = async (pool: PoolConfig | undefined, membership: JoiningOptions['membership'], cluster: JoiningOptions['cluster']) => {
    const result = pool ? await joinOthers({ host, pool, membership, cluster, print, wait }) : null
    if (isRefused(result) && !isEnding) failed(result.why)
  }
  void join(gossip, membershipRef, 'LAN')
  void join(gossip?.wan, wanMembershipRef, 'WAN')
}

/** The files of an external authority may hold something new. */
function refreshCa(host: Threads['host']): Promise<Result<object>> {
  return host.asked(caRef, 'refresh', null, RELOAD_WITHIN_MS)
}

/** The actor stays as it is, with the watches that stay; after a crash it begins with these. */
function watch(host: Threads['host'], { watches }: Config): Promise<Result<null>> {
  const args = { watches: [...watches] }
  host.start(watchesRef.actor, '', args)
  return host.asked(watchesRef, 'reload', args, RELOAD_WITHIN_MS)
}

/** The actor stays as it is; after a crash it begins with these. */
function bootstrapEntries(host: Threads['host'], { configEntries }: Config): Promise<Result<null>> {
  const args = { bootstrap: [...configEntries] }
  host.start(configEntriesRef.actor, '', args)
  return host.asked(configEntriesRef, 'reload', args, RELOAD_WITHIN_MS)
}

/** The configuration with what this machine and this run add to it. */
function identified(config: Config, world: World, running?: Config): Result<Config> {
  const id = config.node.id || running?.node.id || world.nodeId(config.dataDir)
  if (isRefused(id)) return id
  return { ...config, boot: running?.boot ?? world.newId(), node: { ...config.node, id } }
}

function banner(config: Config, layout: Layout, listening: Threads['listening'], { out }: Io): void {
  const { ports, addresses } = config
  const later = layout.filter((_roles, thread) => beginsLater(layout, thread)).length
  const rows: [string, string][] = [
    ['Version', `'${VERSION}' (speaks Consul ${COMPATIBLE_VERSION})`],
    ['Node ID', `'${config.node.id}'`],
    ['Node name', `'${config.node.name}'`],
    ['Datacenter', `'${config.datacenter}' (Segment: '${config.server ? '<all>' : ''}')`],
    ['Server', `${config.server} (Bootstrap: ${config.bootstrap})`],
    ['Client Addr', `[${addresses.client.join(' ')}] (HTTP: ${ports.http}, HTTPS: ${ports.https}, gRPC: ${ports.grpc}, DNS: ${ports.dns})`],
    ['Cluster Addr', `${addresses.advertise} (LAN: ${ports.serfLan}, WAN: ${ports.serfWan})`],
    ['Encrypt', `Gossip: ${(config.gossip?.key ?? '') !== ''}, TLS-Outgoing: false, TLS-Incoming: false, Auto-Encrypt-TLS: false`],
    ['Data', config.devMode ? 'in a temporary folder until the agent ends: keys and certificates too' : config.dataDir],
    ['Threads', later === 0 ? String(layout.length) : `${layout.length - later}, and ${later} for sidecars once there are some`],
  ]
  for (const [name, value] of rows) out(`${name.padStart(18)}: ${value}`)
  out('')
  for (const address of listening.http) out(`${'HTTP'.padStart(18)}: ${address}`)
  for (const address of listening.dns) out(`${'DNS'.padStart(18)}: ${address}`)
  out('')
  out('==> Log data will now stream in as it occurs:')
  out('')
}
