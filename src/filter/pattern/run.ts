import type { Work } from '../work.ts'
import type { Program } from './assemble.ts'
import type { Assertion } from './syntax.ts'

/** Whether the program reaches its match from anywhere in the text. Keeps the set of all places where it may be. */
export function run({ instructions, start }: Program, text: string, work: Work): boolean {
  /** The turn in which an instruction was last reached, so that none is followed twice in one. */
  const reachedIn = new Uint32Array(instructions.length)
  let places: number[] = []
  const pending: number[] = []
  for (let at = 0, turn = 1; ; turn++) {
    const taken: number[] = []
    pending.push(start, ...places)
    for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
      if (reachedIn[place] === turn) continue
      reachedIn[place] = turn
      work.spend(1)
      const instruction = instructions[place]
      if (!instruction || instruction.do === 'match') return true
      if (instruction.do === 'fork') pending.push(instruction.or, instruction.either)
      else if (instruction.do === 'take') taken.push(place)
      else if (holds(instruction.holds, text, at)) pending.push(instruction.next)
    }
    const codePoint = text.codePointAt(at)
    if (codePoint === undefined) return false
    places = []
    for (const place of taken) {
      const instruction = instructions[place]
      if (instruction?.do === 'take' && instruction.test(codePoint)) places.push(instruction.next)
    }
    at += codePoint > 0xffff ? 2 : 1
  }
}

function holds(assertion: Assertion, text: string, at: number): boolean {
  if (assertion === 'text-start') return at === 0
  if (assertion === 'text-end') return at === text.length
  if (assertion === 'line-start') return at === 0 || text[at - 1] === '\n'
  if (assertion === 'line-end') return at === text.length || text[at] === '\n'
  const isEdge = isWord(text[at - 1]) !== isWord(text[at])
  return isEdge === (assertion === 'word-edge')
}

function isWord(character: string | undefined): boolean {
  return character !== undefined && /[0-9A-Za-z_]/.test(character)
}
