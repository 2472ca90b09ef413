import { type PasswordRules, passwordProblem } from '../issuer/people/password-judgement.ts'
import { CommandFailure, fail } from './output.ts'

/** More than any password, less than a file that was piped in by mistake. */
const MOST_BYTES = 8192
const CTRL_C = '\u0003'
const CTRL_D = '\u0004'

/**
 * A new password: from stdin with `--password-stdin`, else asked twice on the terminal without showing it. Ends the command
 * when there is none to be had or when it is unfit.
 */
export async function readNewPassword(fromStdin: boolean, rules: PasswordRules): Promise<string> {
  if (!fromStdin && process.stdin.isTTY !== true) {
    return fail('no terminal to ask the password on: pipe it in and say --password-stdin', 2)
  }
  const password = fromStdin ? await readStdin() : await askTwice(rules)
  const problem = await passwordProblem(password, rules)
  return problem === undefined ? password : fail(problem, 2)
}

/** One line; its end is not part of the password. */
async function readStdin(): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of process.stdin) {
    const part = Buffer.from(chunk)
    bytes += part.length
    if (bytes > MOST_BYTES) return fail('stdin holds more than a password', 2)
    chunks.push(part)
  }
  const password = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '')
  return /[\r\n]/.test(password) ? fail('stdin holds more than one line: give the password alone', 2) : password
}

async function askTwice(rules: PasswordRules): Promise<string> {
  const password = await ask('New password: ')
  const problem = await passwordProblem(password, rules)
  if (problem !== undefined) return fail(problem, 2)
  return (await ask('Once more: ')) === password ? password : fail('the two passwords differ: try again', 1)
}

/** Asks on stderr, so that stdout stays clean for pipes; raw mode, so that nothing is echoed. */
function ask(question: string): Promise<string> {
  const { stdin, stderr } = process
  // Before the question: who answers at once would see the terminal echo it.
  stdin.setRawMode(true)
  stderr.write(question)
  stdin.setEncoding('utf8')
  stdin.resume()
  return new Promise((resolve, reject) => {
    const cancel = (): void => reject(new CommandFailure('cancelled', 1))
    const ends = new Map([
      ['\r', resolve],
      ['\n', resolve],
      [CTRL_C, cancel],
      [CTRL_D, cancel],
    ])
    let typed = ''
    const end = (settle: () => void): void => {
      stdin.off('data', listen)
      stdin.setRawMode(false)
      stdin.pause()
      stderr.write('\n')
      settle()
    }
    const listen = (text: string): void => {
      const keys = [...text]
      for (const [index, key] of keys.entries()) {
        const settle = ends.get(key)
        if (settle !== undefined) {
          end(() => settle(typed))
          // Whoever pastes both lines at once answers the second question with it.
          stdin.unshift(keys.slice(index + 1).join(''))
          return
        }
        typed = key === '\u007f' || key === '\b' ? [...typed].slice(0, -1).join('') : typed + key
      }
    }
    stdin.on('data', listen)
  })
}
