import type { Kind } from '../kind.ts'
import { clientFaults } from './clients.ts'
import { diskFaults } from './disks.ts'
import { logFaults } from './log.ts'
import { machineFaults } from './machines.ts'
import { networkFaults } from './network.ts'

/** Every kind of trouble. */
export const faults: readonly Kind[] = [...machineFaults, ...diskFaults, ...networkFaults, ...logFaults, ...clientFaults]
