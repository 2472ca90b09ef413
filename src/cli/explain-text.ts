import type { Explanation, ShownAnswer, Verdict } from '../server/explain.ts'

/** An explanation for people, line by line. */
export function explanationText({ checks, verdict }: Explanation): readonly string[] {
  const lines = checks.flatMap(({ name, good, expected, got }) => [
    `${good ? 'ok  ' : 'NO  '} ${name}`,
    `       expected: ${expected}`,
    `       got:      ${got}`,
  ])
  return [...lines, '', ...verdictText(verdict)]
}

function verdictText(verdict: Verdict): readonly string[] {
  switch (verdict.outcome) {
    case 'forward': {
      const { method, url, headers } = verdict.upstream
      return [`FORWARD  ${method} ${url}`, 'The upstream sees:', ...headerLines(headers)]
    }
    case 'deny':
      return [`DENIED   ${verdict.answer.status} ${verdict.reason}`, 'The client gets:', ...answerLines(verdict.answer)]
    case 'preflight':
      return [`ANSWERED ${verdict.answer.status} by the gateway (CORS preflight)`, ...answerLines(verdict.answer)]
    case 'reserved':
      return ['RESERVED the issuer, or resource metadata, answers this path']
  }
}

function answerLines({ status, headers, body }: ShownAnswer): readonly string[] {
  return [`  HTTP/1.1 ${status}`, ...headerLines(headers), ...(body === '' ? [] : ['', `  ${body.trimEnd()}`])]
}

function headerLines(headers: readonly string[]): readonly string[] {
  return headers.flatMap((name, i) => (i % 2 === 0 ? [`  ${name}: ${headers[i + 1]}`] : []))
}
