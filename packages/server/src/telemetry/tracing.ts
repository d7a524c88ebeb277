import {
  context,
  createTraceState,
  type Context,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import type { MadeAttempt } from '../core/attempt.ts';
import type { Delivery } from '../core/delivery.ts';
import { explain } from '../core/explain.ts';
import { judge } from '../core/outcome.ts';
import { partsOfTrace, readTraceparent, traceOf, writeTraceparent } from '../core/trace.ts';

/** Spans of what Schoolbell does. `trace` names the span, as `traceOf` does, for what happens because of it. */
export type Tracing = {
  /** A call that publishes, within the span that is under way, else within the publisher's. */
  readonly publish: <T>(
    call: { readonly tenant: string; readonly events: number; readonly parent: string | undefined },
    run: (trace: string) => Promise<T>,
  ) => Promise<T>;
  /** An attempt, within the span of the call that published. */
  readonly attempt: (
    delivery: Delivery,
    send: (trace: string) => Promise<MadeAttempt>,
  ) => Promise<MadeAttempt>;
};

/** Undefined when no SDK of OpenTelemetry is loaded: then nothing is done for it. */
export function openTracing(version: string): Tracing | undefined {
  const provider = trace.getTracerProvider();
  const nobody = new ProxyTracerProvider().getDelegate();
  if (provider instanceof ProxyTracerProvider && provider.getDelegate() === nobody)
    return undefined;
  const tracer = provider.getTracer('schoolbell', version);
  return {
    publish: ({ tenant, events, parent }, run) => {
      const attributes = { 'schoolbell.tenant': tenant, 'schoolbell.events': events };
      const active = context.active();
      const within = trace.getSpan(active) === undefined ? contextOf(parent) : active;
      const options = { kind: SpanKind.PRODUCER, attributes };
      const span = tracer.startSpan('schoolbell publish', options, within);
      return during(span, () => run(textOf(span)));
    },
    attempt: (delivery, send) => {
      const attributes = {
        'schoolbell.tenant': delivery.tenant,
        'schoolbell.registration': delivery.registrationId,
        'schoolbell.event': delivery.eventId,
        'schoolbell.delivery': delivery.id,
        'schoolbell.attempt': delivery.attempts + 1,
        'http.request.method': 'POST',
      };
      const options = { kind: SpanKind.CLIENT, attributes };
      const span = tracer.startSpan('schoolbell attempt', options, contextOf(delivery.trace));
      return during(span, async () => {
        const attempt = await send(textOf(span));
        describe(span, attempt);
        return attempt;
      });
    },
  };
}

async function during<T>(span: Span, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

function describe(span: Span, { outcome }: MadeAttempt): void {
  if (outcome.kind === 'response') span.setAttribute('http.response.status_code', outcome.status);
  if (judge(outcome) === 'delivered') return;
  const { class: kind, sentence } = explain(outcome);
  span.setAttribute('error.type', kind);
  span.setStatus({ code: SpanStatusCode.ERROR, message: sentence });
}

function contextOf(text: string | undefined): Context {
  if (text === undefined) return ROOT_CONTEXT;
  const { traceparent, tracestate } = partsOfTrace(text);
  const read = readTraceparent(traceparent);
  if (read === undefined) return ROOT_CONTEXT;
  const { traceId, spanId, flags } = read;
  const state = tracestate === undefined ? {} : { traceState: createTraceState(tracestate) };
  const parent = { traceId, spanId, traceFlags: flags, isRemote: true, ...state };
  return trace.setSpanContext(ROOT_CONTEXT, parent);
}

function textOf(span: Span): string {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  const traceparent = writeTraceparent({ traceId, spanId, flags: traceFlags });
  return traceOf(traceparent, traceState?.serialize()) ?? traceparent;
}
