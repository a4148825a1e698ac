import type { Kind } from '../kind.ts'
import { diskFaults } from './disks.ts'
import { machineFaults } from './machines.ts'

/** Every kind of trouble. */
export const faults: readonly Kind[] = [...machineFaults, ...diskFaults]
