import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Deployment } from 'kubernetes-models/apps/v1/Deployment'
import { Job } from 'kubernetes-models/batch/v1/Job'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget'
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap'
import { Namespace } from 'kubernetes-models/v1/Namespace'
import { Secret } from 'kubernetes-models/v1/Secret'
import { Service } from 'kubernetes-models/v1/Service'
import { parse } from 'yaml'
import { decodeConfig } from '../../../src/config/load.ts'

const DEPLOY = join(import.meta.dirname, '../../../src/deploy')
const KUBERNETES = join(DEPLOY, 'kubernetes')
const KINDS = { ConfigMap, Deployment, Job, Namespace, NetworkPolicy, PodDisruptionBudget, Secret, Service }

const manifest = (name: string) => parse(readFileSync(join(KUBERNETES, name), 'utf8'))
const kustomization: { resources: string[] } = manifest('kustomization.yaml')

describe('Kubernetes manifests', () => {
  it('are all named by the kustomization', () => {
    const files = readdirSync(KUBERNETES).filter((name) => !['kustomization.yaml', 'routes.yaml'].includes(name))
    assert.deepEqual([...kustomization.resources].sort(), files.sort())
  })

  for (const name of kustomization.resources) {
    it(`${name} fits the published schema of its kind`, () => {
      const object = manifest(name)
      const Kind = KINDS[object.kind as keyof typeof KINDS]
      new Kind(object).validate()
    })
  }

  it('run the pods as nobody, read-only, without privileges, and outlive shutdown.delay and shutdown.grace', () => {
    for (const name of ['deployment.yaml', 'migrate.yaml']) {
      const { spec } = manifest(name).spec.template
      assert.equal(spec.securityContext.runAsNonRoot, true)
      for (const { securityContext } of spec.containers) {
        assert.equal(securityContext.readOnlyRootFilesystem, true)
        assert.equal(securityContext.allowPrivilegeEscalation, false)
        assert.deepEqual(securityContext.capabilities, { drop: ['ALL'] })
      }
    }
    const { delay, grace } = manifest('routes.yaml').shutdown
    const seconds = Number.parseInt(delay, 10) + Number.parseInt(grace, 10)
    assert.ok(manifest('deployment.yaml').spec.template.spec.terminationGracePeriodSeconds > seconds)
  })

  it('send requests to the gateway’s pods, and count those for disruptions, but not the job’s', () => {
    const { selector, template } = manifest('deployment.yaml').spec
    const job = manifest('migrate.yaml').spec.template.metadata.labels
    const chosen = [
      selector.matchLabels,
      manifest('service.yaml').spec.selector,
      manifest('disruption-budget.yaml').spec.selector.matchLabels,
      ...template.spec.topologySpreadConstraints.map((each: typeof template) => each.labelSelector.matchLabels),
    ]
    const fits = (labels: object, wanted: object): boolean =>
      Object.entries(wanted).every(([name, value]) =>
        Object.entries(labels).some(([n, v]) => n === name && v === value),
      )
    for (const wanted of chosen) {
      assert.ok(fits(template.metadata.labels, wanted), JSON.stringify(wanted))
      assert.ok(!fits(job, wanted), `${JSON.stringify(wanted)} is the job, too`)
    }
    // Both reach the database.
    const { matchLabels } = manifest('network-policy.yaml').spec.podSelector
    assert.ok(fits(job, matchLabels) && fits(template.metadata.labels, matchLabels))
  })

  it('hold a file that is good, and secrets that are refused until somebody has put in their own', () => {
    const text = readFileSync(join(KUBERNETES, 'routes.yaml'), 'utf8')
    const { secret, 'feed-token': feedToken } = manifest('secret.yaml').stringData
    const read = (own: string) => decodeConfig(text, 'routes.yaml', { AUDGATE_SECRET: own, AUDGATE_FEED_TOKEN: own })
    assert.ok(read('as-long-as-a-secret-is').ok)
    for (const shown of [secret, feedToken]) {
      const refused = read(shown)
      assert.match(refused.ok ? '' : refused.problems.map(({ message }) => message).join('\n'), /SECRET.* too short/)
      assert.match(
        refused.ok ? '' : refused.problems.map(({ message }) => message).join('\n'),
        /FEED_TOKEN.* too short/,
      )
    }
  })

  it('mount every secret that they name, from the one secret', () => {
    const files = Object.keys(manifest('secret.yaml').stringData)
    for (const name of ['deployment.yaml', 'migrate.yaml']) {
      const [container] = manifest(name).spec.template.spec.containers
      for (const { value } of container.env) assert.ok(files.includes(value.split('/').pop()), value)
    }
  })
})

describe('the systemd units', () => {
  it('are good to systemd, and end later than the server does', () => {
    const folder = mkdtempSync(join(tmpdir(), 'audgate-units-'))
    try {
      for (const name of ['audgate.service', 'audgate.socket']) {
        const text = readFileSync(join(DEPLOY, 'systemd', name), 'utf8')
        writeFileSync(join(folder, name), text.replace('/usr/local/bin/audgate', '/bin/true'))
      }
      const units = [join(folder, 'audgate.service'), join(folder, 'audgate.socket')]
      // A service that is started by hand brings its socket along.
      const service = readFileSync(join(DEPLOY, 'systemd', 'audgate.service'), 'utf8')
      assert.match(service, /^Requires=audgate\.socket$/m)
      execFileSync('systemd-analyze', ['verify', ...units], { stdio: 'pipe' })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
