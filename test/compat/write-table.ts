import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { compatibilityPage, PAGE } from './table.ts'

writeFileSync(fileURLToPath(new URL(`../../${PAGE}`, import.meta.url)), await compatibilityPage())
