/**
 * Everything that an explanation can say, by key: translators write the same keys. A placeholder
 * names a parameter; `|time` and `|day` say how an ISO time is shown.
 */
export const SENTENCES = {
  'http.2xx': 'The receiver answered {status}: delivered.',
  'http.slow':
    'It took {seconds} s to answer, which keeps other deliveries waiting: it should answer first and work afterwards.',
  'http.3xx':
    'The receiver answered {status} and points to {location}. Redirects are not followed: register the final address.',
  'http.3xx.login':
    'The receiver answered {status} and points to a login page: {location}. It takes the delivery for a person who should sign in. Register an address that needs no login, or take the login away from it.',
  'http.3xx.nowhere':
    'The receiver answered {status}, but does not say where to go. Redirects are not followed: register the final address, and check that it is not a login page.',
  'http.400':
    'The receiver answered 400: it could not read the delivery, or refused its signature. Check that it has the right secret.',
  'http.401':
    'The receiver answered 401: it wants other credentials. Check the Authorization header or the secret of the registration.',
  'http.403':
    'The receiver answered 403: it does not allow the delivery. Check its access rules and the credentials of the registration.',
  'http.404':
    'The receiver answered 404: there is nothing at this address. Check the path of the WebHookUri.',
  'http.405':
    'The receiver answered 405: it takes no POST at this address. Check the path of the WebHookUri.',
  'http.408': 'The receiver answered 408: it gave up waiting for the request.',
  'http.410':
    'The receiver answered 410: the endpoint is gone for good. The registration was switched off, and what waits for it is held.',
  'http.413': 'The receiver answered 413: the delivery is too large for it.',
  'http.415': 'The receiver answered 415: it takes no JSON at this address.',
  'http.429':
    'The receiver answered 429: it asks for fewer requests. Deliveries slow down by themselves.',
  'http.4xx': 'The receiver answered {status}: it refused the delivery. Its own log says why.',
  'http.502': 'The receiver answered 502: a proxy in front of it got no proper answer from it.',
  'http.503': 'The receiver answered 503: it is not available at the moment.',
  'http.504': 'The receiver answered 504: a proxy in front of it waited in vain for it.',
  'http.5xx':
    'The receiver answered {status}: it failed while handling the delivery. Its own log says why.',
  'http.other': 'The receiver answered {status}, which is not a success.',

  'dns.no_address':
    'The name {host} has no address at the moment. Check its spelling, or whether the receiver moved.',
  'dns.gone':
    'The name {host} has no address any more; it had one when a delivery arrived on {last|time}. Check whether the receiver moved, and whether the domain has been renewed.',
  'dns.failed':
    'The name {host} could not be looked up ({code}). The name servers may be out of order; check its spelling if it lasts.',

  'connect.refused':
    'Nothing listens at the address. Check the port, and whether the receiver runs.',
  'connect.reset': 'The receiver closed the connection without an answer.',
  'connect.proxy':
    'The proxy of this installation made no connection to the receiver. The receiver is down, or the operator must allow it in the proxy.',
  'connect.failed': 'No connection came about ({code}).',
  'timeout.connect':
    'No connection came about within {seconds} s. The receiver is down, or a firewall drops the connection.',
  'timeout.connect.system':
    'No connection came about in time. The receiver is down, or a firewall drops the connection.',
  'timeout.tls':
    'The TLS handshake timed out after {seconds} s. The receiver took the connection and said nothing more: check that the port is its https port, and that it is not overloaded.',
  'timeout.response':
    'The receiver did not answer within {seconds} s. It may have worked on the delivery all the same: it should answer first and work afterwards.',

  'tls.expired': 'The certificate of the receiver has expired. It must be renewed.',
  'tls.expired.today':
    'The certificate of the receiver expired on {at|time}, less than a day before this attempt. It must be renewed.',
  'tls.expired.day':
    'The certificate of the receiver expired on {at|day}, a day before this attempt. It must be renewed.',
  'tls.expired.days':
    'The certificate of the receiver expired on {at|day}, {days} days before this attempt. It must be renewed.',
  'tls.not_yet_valid': 'The certificate of the receiver is not valid yet. Check the clocks.',
  'tls.not_yet_valid.from':
    'The certificate of the receiver is valid from {at|time} on, which is after this attempt. Check the clocks.',
  'tls.wrong_name':
    'The certificate of the receiver is for another name. It needs one for the name in the WebHookUri.',
  'tls.self_signed':
    'The certificate of the receiver is signed by itself. It needs one of a known authority, or the operator must trust its authority.',
  'tls.unknown_authority':
    'The certificate of the receiver is of an unknown authority, or an intermediate certificate is missing.',
  'tls.old_version': 'The receiver speaks TLS older than 1.2 only. It must be brought up to date.',
  'tls.refused': 'The receiver refused the TLS handshake: it may ask for a client certificate.',
  'tls.not_tls': 'The receiver does not speak TLS at this port. Use http:// or the right port.',
  'tls.failed': 'The TLS connection failed ({code}).',
  'certificate.ends':
    'The certificate of the receiver ends on {at|day}: it must be renewed by then.',

  protocol:
    'The receiver answered with something that is not HTTP ({code}). Check that the port belongs to a web server.',
  headers_too_large: 'The receiver answered with more than 16 KiB of headers.',
  'blocked.address':
    'The address is not one that this installation sends to. Use a public address, or ask the operator to allow it.',
  'blocked.headers':
    'A header of the registration is not one that this installation sends. Change the Headers of the registration.',
  'blocked.erased': 'What this delivery carried was erased, so nothing was sent.',

  'since.known': 'It has been so since {since|time}.',
  'since.or_before': 'It has been so since {since|time} or longer.',
  'since.secret':
    'It has been so since {since|time}, right after the secret of the registration was changed on {changed|time}: give the receiver the new secret.',
  'since.registration':
    'It has been so since {since|time}, right after the registration was changed on {changed|time}: check that change.',
} as const;

export type SentenceKey = keyof typeof SENTENCES;
