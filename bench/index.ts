import type { Benchmark } from './benchmark.ts'
import { cli } from './cli.ts'
import { dns } from './dns.ts'
import { gossip } from './gossip.ts'
import { haproxy } from './haproxy.ts'
import { health } from './health.ts'
import { kernel } from './kernel.ts'
import { kv } from './kv.ts'
import { leaf } from './leaf.ts'
import { memory } from './memory.ts'
import { mesh } from './mesh.ts'
import { propagation } from './propagation.ts'
import { readers } from './readers.ts'
import { registration } from './registration.ts'
import { restart } from './restart.ts'
import { servers } from './servers.ts'
import { sessions } from './sessions.ts'
import { simulator } from './simulator.ts'
import { snapshot } from './snapshot.ts'
import { txn } from './txn.ts'
import { wake } from './wake.ts'

/** All benchmarks, in the order in which they run and are shown. */
export const benchmarks: readonly Benchmark[] = [
  kernel,
  kv,
  txn,
  health,
  dns,
  registration,
  sessions,
  servers,
  leaf,
  wake,
  readers,
  mesh,
  haproxy,
  restart,
  snapshot,
  memory,
  cli,
  propagation,
  simulator,
  gossip,
]
