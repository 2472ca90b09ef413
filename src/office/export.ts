import type { OfficeVisit } from './office-visit.ts'
import { EXPORTS, exportPath } from './pages/audit.ts'

/** Sends the audit trail as a file, as the API makes it; false where the path is no export. */
export async function sendExport({
  below,
  visit,
  session,
  parts,
  request,
  response,
  visitor,
}: OfficeVisit): Promise<boolean> {
  const wanted = Object.hasOwn(EXPORTS, below) ? EXPORTS[below] : undefined
  if (wanted === undefined) return false
  request.headers.accept = wanted.type
  response.setHeader('content-disposition', `attachment; filename="${wanted.name}"`)
  response.setHeader('content-security-policy', "default-src 'none'; frame-ancestors 'none'; sandbox")
  await parts.passOn({ request, response, visitor }, session.token, exportPath(visit.query))
  return true
}
