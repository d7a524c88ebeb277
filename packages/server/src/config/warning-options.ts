import type { Option, OptionName } from './options.ts';

type Name = Extract<OptionName, 'operatorTenant' | 'smtpUrl' | 'mailFrom' | 'mailTo'>;

/** Who hears of Schoolbell's own troubles. */
export const WARNING_OPTIONS: Readonly<Record<Name, Option>> = {
  operatorTenant: {
    flag: 'operator-tenant',
    kind: 'text',
    placeholder: '<id>',
    help: 'Tenant whose registrations get the warnings of all tenants, where they name their filters.',
    default: null,
  },
  smtpUrl: {
    flag: 'smtp-url',
    kind: 'text',
    placeholder: '<url>',
    help: 'Mail server for warnings by e-mail: smtp[s]://[user:password@]host[:port]. With a user it must speak TLS.',
    default: null,
    secret: true,
  },
  mailFrom: {
    flag: 'mail-from',
    kind: 'text',
    placeholder: '<address>',
    help: 'Sender of warnings by e-mail.',
    default: 'schoolbell@localhost',
  },
  mailTo: {
    flag: 'mail-to',
    kind: 'list',
    placeholder: '<addresses>',
    help: 'Who gets the warnings of all tenants by e-mail, each matter once a day; needs --smtp-url.',
    default: null,
  },
};
