/**
 * A path pattern of routes.yaml, split at `/`: `*` is any run within a segment, a segment `**` any number of whole
 * segments, so `/api/**` is `/api` and all below it. Relative to the route's path.
 */
export interface PathPattern {
  readonly text: string
  readonly segments: readonly string[]
}
