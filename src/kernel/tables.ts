/** Ordered tables of records. Everything cluster-wide is kept in them, everything else is derived. */

declare const recordOf: unique symbol

/** A table's name in code and its stable number on disk. Numbers are never reused. */
export type Table<Record> = { readonly name: string; readonly id: number; readonly [recordOf]?: Record }

export function table<Record>(name: string, id: number): Table<Record> {
  return { name, id }
}

export type RangeOptions = {
  /** Only keys that begin with this; the whole table when absent. */
  prefix?: string
  /** Only keys after this one. */
  after?: string
  limit?: number
}

/** A consistent read-only picture of all tables. Keys are ordered by their UTF-8 bytes. Records must not be changed. */
export interface View {
  get<Record>(table: Table<Record>, key: string): Record | undefined
  range<Record>(table: Table<Record>, options?: RangeOptions): Iterable<readonly [key: string, record: Record]>
}

export interface Transaction extends View {
  put<Record>(table: Table<Record>, key: string, record: Record): void
  delete<Record>(table: Table<Record>, key: string): boolean
}

/** Separates the parts of a composed key. Names with this character are refused at the edges. */
export const SEPARATOR = '\u0000'

export function joined(...parts: string[]): string {
  return parts.join(SEPARATOR)
}

/**
 * The tables are kept in two copies, numbered 0 and 1. All reading and writing is of copy 1 while there is a record `current`, else
 * of copy 0: its coming or going replaces everything in one step, because the other copy can be filled aside. `loaded` says that it
 * is full: by what it was filled with, and up to which index. This table is in neither.
 */
export const copyTable = table<{ id: string; index: number }>('copies', 4)
export const CURRENT_COPY = 'current'
export const LOADED_COPY = 'loaded'

export function currentCopy(view: View): 0 | 1 {
  return view.get(copyTable, CURRENT_COPY) ? 1 : 0
}

/** Tables that are outside of the copies, by number: the one above, and what a replica of a log has of its position. */
export const OUTSIDE_COPIES: readonly number[] = [3, copyTable.id]

/** Whether everything there was has been replaced. */
export function isReplaced({ touched }: ChangeNotice): boolean {
  return touched.some(([id]) => id === copyTable.id)
}

/** What one commit changed: pairs of table id and key, for those who wait for a change. */
export type ChangeNotice = { index: number; touched: [tableId: number, key: string][] }
