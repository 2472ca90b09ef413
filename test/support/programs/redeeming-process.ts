import { redeem } from '../issuer/browser-less-person.ts'
import { REDIRECT } from '../several-instances.ts'

/**
 * A process of its own that redeems every code of a list, one after another at the next of the origins; prints which of them gave
 * tokens. The job comes on stdin, as JSON.
 */
interface Job {
  readonly origins: readonly string[]
  readonly resource: string
  readonly attempts: readonly { readonly code: string; readonly verifier: string }[]
}

const AT_ONCE = 10
const chunks: Buffer[] = []
for await (const chunk of process.stdin) chunks.push(chunk)
const { origins, resource, attempts }: Job = JSON.parse(Buffer.concat(chunks).toString('utf8'))
const won: number[] = []
let next = 0
const work = async (): Promise<void> => {
  for (let n = next++; n < attempts.length; n = next++) {
    const attempt = attempts[n]
    if (attempt === undefined) return
    const asked = { clientId: 'app', redirectUri: REDIRECT, resource }
    const ask = () => redeem(origins[n % origins.length] ?? '', attempt, asked)
    // 503 says that nothing was spent: whoever is told to come back does.
    let answer = await ask()
    while (answer.status === 503) answer = await ask()
    if (answer.status === 200) won.push(n)
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, work))
console.log(JSON.stringify(won))
