export {
  type ChangedSecret,
  type Delivery,
  type PublishOptions,
  type Receipt,
  type Registration,
  type RegistrationRequest,
  type SecretChange,
  SchoolbellClient,
  type ClientOptions,
} from './client.ts';
export type { ErasureReceipt, LearnerExport } from './learners.ts';
export type { Conditions, MatchRequest, MatchResult, Wanted } from './conditions.ts';
export { SchoolbellError, type VerificationCode, VerificationError } from './errors.ts';
export type { FeedItem } from './feed.ts';
export { GapDetector, type GapState } from './gaps.ts';
export { checkManifest, type Had, type Manifest, type ManifestCheck } from './manifest.ts';
export { fastifyWebhook } from './fastify.ts';
export { createHandler, type DeliveryContext, type HandlerOptions } from './handler.ts';
export { type NodeRequest, type NodeResponse, toNodeHandler } from './node.ts';
export type {
  AnyNotification,
  KnownNotification,
  NotificationOf,
  NotificationTypes,
} from './notification.ts';
export type { Counts, Percentiles, Statistics, StatisticsQuery } from './statistics.ts';
export { type HeaderSource, type Verified, verify, type VerifyOptions } from './verify.ts';
export type { Replay, ReplayRequest, Resumed, ResumePreview } from './replays.ts';
