import { spawnSync } from 'node:child_process'
import type { ExecutionContext } from 'ava'
import { runProgram, startProgram } from './running.ts'

/** Machines that are network namespaces of this one, on switches to which their cables go. */
export type Network = {
  /** The address of a machine, which are counted from 1. */
  addressOf(machine: number): string
  /** A shell line that runs `"$@"` on a machine. Files and sockets of the file system are shared with the test. */
  on(machine: number): string
  /** Plugs the machines' cables into a switch, 0 or 1; what is on different ones cannot reach each other. */
  plug(machines: readonly number[], into: 0 | 1): Promise<void>
  /** Pulls the cable of a machine, or puts it back. */
  cable(machine: number, isIn: boolean): Promise<void>
}

const PREFIX = '10.77.0.'

/** Why a test cannot have namespaces here; undefined if it can. */
export function namespacesFault(): string | undefined {
  const tried = spawnSync('unshare', ['-rnm', 'sh', '-c', SET_UP, 'sh', '1'], { input: '', encoding: 'utf8' })
  if (tried.status === 0) return undefined
  return `network namespaces cannot be made here (unshare of util-linux, ip of iproute2): ${tried.error?.message ?? tried.stderr.trim()}`
}

/** All of it ends with the test. */
export async function startNetwork(t: ExecutionContext, machines: number): Promise<Network> {
  const holder = startProgram(t, 'network', 'unshare', ['-rnm', 'sh', '-c', SET_UP, 'sh', String(machines)], { stdio: 'pipe' })
  await holder.line(/^ready$/)
  const inside = ['-t', String(holder.pid), '--preserve-credentials', '-U', '-m', '-n']
  const ip = async (...args: string[]) => {
    const { code, err } = await runProgram(t, 'nsenter', [...inside, 'ip', ...args])
    if (code !== 0) throw new Error(`ip ${args.join(' ')}: ${err}`)
  }
  return {
    addressOf: (machine) => `${PREFIX}${machine}`,
    on: (machine) => `exec nsenter ${inside.join(' ')} nsenter --net=/run/netns/m${machine} "$@"`,
    async plug(which, into) {
      for (const machine of which) await ip('link', 'set', `cable${machine}`, 'master', `switch${into}`)
    },
    cable: (machine, isIn) => ip('link', 'set', `cable${machine}`, isIn ? 'up' : 'down'),
  }
}

/** Two switches and so many machines on the first. Stays until its input ends. */
const SET_UP = `set -e
mount -t tmpfs none /run
for at in 0 1; do
  ip link add switch$at type bridge
  ip link set switch$at up
done
for at in $(seq $1); do
  ip netns add m$at
  ip link add cable$at type veth peer name eth0 netns m$at
  ip link set cable$at master switch0
  ip link set cable$at up
  ip -n m$at address add ${PREFIX}$at/24 dev eth0
  ip -n m$at link set eth0 up
  ip -n m$at link set lo up
done
echo ready
cat`
