export { openSchoolbell, startSchoolbell } from './app/schoolbell.ts';
export type { RunningSchoolbell, Schoolbell, SchoolbellOptions } from './app/schoolbell.ts';
export { type Config, ConfigError } from './config/config.ts';
export { AppError, type ErrorCode } from './core/errors.ts';
export type { Filter } from './core/filter.ts';
export type { Registration } from './core/registration.ts';
export { parseSchedule } from './core/schedule.ts';
export type * from './service/library.ts';
