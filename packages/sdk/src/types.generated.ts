// Generated from the catalogue's schemas by tools/generate-types.ts. Do not edit.

/** Notifications of the built-in catalogue by their Action. */
export type NotificationTypes = {
  /** A learner asks to be enrolled in a course whose enrolments are approved elsewhere. */
  readonly EnrollmentApprovalRequest: {
    /** Name of the event. */
    readonly Action: "EnrollmentApprovalRequest";
    /** Status of the enrolment as a number. */
    readonly EnrollmentStatus: number;
    /** Status of the enrolment in words. */
    readonly EnrollmentStatusText: string;
    /** When it happened. */
    readonly TimeStamp: string;
    /** The course or training plan. */
    readonly Course: {
      /** Id of the site that holds the course catalogue. */
      readonly SiteId?: string;
      /** Id of the catalogue within its site. */
      readonly WebId?: string;
      /** Id of the course or training plan. */
      readonly Id: string;
      /** Title of the course or training plan. */
      readonly Title: string;
      /** Where learners open the course. */
      readonly Url?: string;
      /** Kind of training: ELearning, ClassRoom, Webinar or TrainingPlan. */
      readonly CourseType: string;
      /** True when the course is listed in its catalogue. */
      readonly Published?: boolean;
    };
    /** The learners it happened to. */
    readonly Users: readonly {
      /** Id of the learner in the learning platform. */
      readonly Id: string;
      /** Object id of the learner in the directory. */
      readonly DirectoryObjectId?: string;
      /** Id of this learner’s enrolment: what approvals and cancellations refer to. */
      readonly EnrollmentId: string;
      /** Login name. */
      readonly LoginName: string;
      /** Display name. */
      readonly Title: string;
      /** Department. */
      readonly Department?: string;
      /** E-mail address. */
      readonly Email: string;
    }[];
  };
  /** Learners were enrolled in a course or training plan. */
  readonly CourseEnrollment: {
    /** Name of the event. */
    readonly Action: "CourseEnrollment";
    /** Status of the enrolment as a number. */
    readonly EnrollmentStatus: number;
    /** Status of the enrolment in words. */
    readonly EnrollmentStatusText: string;
    /** When it happened. */
    readonly TimeStamp: string;
    /** The course or training plan. */
    readonly Course: {
      /** Id of the site that holds the course catalogue. */
      readonly SiteId?: string;
      /** Id of the catalogue within its site. */
      readonly WebId?: string;
      /** Id of the course or training plan. */
      readonly Id: string;
      /** Title of the course or training plan. */
      readonly Title: string;
      /** Where learners open the course. */
      readonly Url?: string;
      /** Kind of training: ELearning, ClassRoom, Webinar or TrainingPlan. */
      readonly CourseType: string;
      /** True when the course is listed in its catalogue. */
      readonly Published?: boolean;
    };
    /** The learners it happened to. */
    readonly Users: readonly {
      /** Id of the learner in the learning platform. */
      readonly Id: string;
      /** Object id of the learner in the directory. */
      readonly DirectoryObjectId?: string;
      /** Id of this learner’s enrolment: what approvals and cancellations refer to. */
      readonly EnrollmentId: string;
      /** Login name. */
      readonly LoginName: string;
      /** Display name. */
      readonly Title: string;
      /** Department. */
      readonly Department?: string;
      /** E-mail address. */
      readonly Email: string;
    }[];
  };
  /** Learners left a course or training plan, or were taken out of it. */
  readonly CourseUnenrollment: {
    /** Name of the event. */
    readonly Action: "CourseUnenrollment";
    /** Status of the enrolment as a number. */
    readonly EnrollmentStatus: number;
    /** Status of the enrolment in words. */
    readonly EnrollmentStatusText: string;
    /** When it happened. */
    readonly TimeStamp: string;
    /** The course or training plan. */
    readonly Course: {
      /** Id of the site that holds the course catalogue. */
      readonly SiteId?: string;
      /** Id of the catalogue within its site. */
      readonly WebId?: string;
      /** Id of the course or training plan. */
      readonly Id: string;
      /** Title of the course or training plan. */
      readonly Title: string;
      /** Where learners open the course. */
      readonly Url?: string;
      /** Kind of training: ELearning, ClassRoom, Webinar or TrainingPlan. */
      readonly CourseType: string;
      /** True when the course is listed in its catalogue. */
      readonly Published?: boolean;
    };
    /** The learners it happened to. */
    readonly Users: readonly {
      /** Id of the learner in the learning platform. */
      readonly Id: string;
      /** Object id of the learner in the directory. */
      readonly DirectoryObjectId?: string;
      /** Id of this learner’s enrolment: what approvals and cancellations refer to. */
      readonly EnrollmentId: string;
      /** Login name. */
      readonly LoginName: string;
      /** Display name. */
      readonly Title: string;
      /** Department. */
      readonly Department?: string;
      /** E-mail address. */
      readonly Email: string;
    }[];
  };
  /** Learners began the first activity of a course. */
  readonly CourseStarted: {
    /** Name of the event. */
    readonly Action: "CourseStarted";
    /** Status of the enrolment as a number. */
    readonly EnrollmentStatus: number;
    /** Status of the enrolment in words. */
    readonly EnrollmentStatusText: string;
    /** When it happened. */
    readonly TimeStamp: string;
    /** The course or training plan. */
    readonly Course: {
      /** Id of the site that holds the course catalogue. */
      readonly SiteId?: string;
      /** Id of the catalogue within its site. */
      readonly WebId?: string;
      /** Id of the course or training plan. */
      readonly Id: string;
      /** Title of the course or training plan. */
      readonly Title: string;
      /** Where learners open the course. */
      readonly Url?: string;
      /** Kind of training: ELearning, ClassRoom, Webinar or TrainingPlan. */
      readonly CourseType: string;
      /** True when the course is listed in its catalogue. */
      readonly Published?: boolean;
    };
    /** The learners it happened to. */
    readonly Users: readonly {
      /** Id of the learner in the learning platform. */
      readonly Id: string;
      /** Object id of the learner in the directory. */
      readonly DirectoryObjectId?: string;
      /** Id of this learner’s enrolment: what approvals and cancellations refer to. */
      readonly EnrollmentId: string;
      /** Login name. */
      readonly LoginName: string;
      /** Display name. */
      readonly Title: string;
      /** Department. */
      readonly Department?: string;
      /** E-mail address. */
      readonly Email: string;
    }[];
  };
  /** Learners completed a course or training plan. */
  readonly CourseCompleted: {
    /** Name of the event. */
    readonly Action: "CourseCompleted";
    /** Status of the enrolment as a number. */
    readonly EnrollmentStatus: number;
    /** Status of the enrolment in words. */
    readonly EnrollmentStatusText: string;
    /** When it happened. */
    readonly TimeStamp: string;
    /** The course or training plan. */
    readonly Course: {
      /** Id of the site that holds the course catalogue. */
      readonly SiteId?: string;
      /** Id of the catalogue within its site. */
      readonly WebId?: string;
      /** Id of the course or training plan. */
      readonly Id: string;
      /** Title of the course or training plan. */
      readonly Title: string;
      /** Where learners open the course. */
      readonly Url?: string;
      /** Kind of training: ELearning, ClassRoom, Webinar or TrainingPlan. */
      readonly CourseType: string;
      /** True when the course is listed in its catalogue. */
      readonly Published?: boolean;
    };
    /** The learners it happened to. */
    readonly Users: readonly {
      /** Id of the learner in the learning platform. */
      readonly Id: string;
      /** Object id of the learner in the directory. */
      readonly DirectoryObjectId?: string;
      /** Id of this learner’s enrolment: what approvals and cancellations refer to. */
      readonly EnrollmentId: string;
      /** Login name. */
      readonly LoginName: string;
      /** Display name. */
      readonly Title: string;
      /** Department. */
      readonly Department?: string;
      /** E-mail address. */
      readonly Email: string;
    }[];
  };
  /** A course was listed in a catalogue. */
  readonly CoursePublished: {
    /** Name of the event. */
    readonly Action: "CoursePublished";
    /** Id of the site that holds the course catalogue. */
    readonly SiteId?: string;
    /** Id of the catalogue within its site. */
    readonly WebId?: string;
    /** Id of the course or training plan. */
    readonly Id: string;
    /** Title of the course or training plan. */
    readonly Title: string;
    /** Where learners open the course. */
    readonly Url?: string;
    /** Kind of training: ELearning, ClassRoom, Webinar or TrainingPlan. */
    readonly CourseType: string;
    /** True when the course is listed in its catalogue. */
    readonly Published: boolean;
    /** When it happened. */
    readonly TimeStamp: string;
  };
  /** A course was taken out of a catalogue. */
  readonly CourseUnpublished: {
    /** Name of the event. */
    readonly Action: "CourseUnpublished";
    /** Id of the site that holds the course catalogue. */
    readonly SiteId?: string;
    /** Id of the catalogue within its site. */
    readonly WebId?: string;
    /** Id of the course or training plan. */
    readonly Id: string;
    /** Title of the course or training plan. */
    readonly Title: string;
    /** Where learners open the course. */
    readonly Url?: string;
    /** Kind of training: ELearning, ClassRoom, Webinar or TrainingPlan. */
    readonly CourseType: string;
    /** True when the course is listed in its catalogue. */
    readonly Published: boolean;
    /** When it happened. */
    readonly TimeStamp: string;
  };
  /** An account was created or switched on. */
  readonly UserCreated: {
    /** Name of the event. */
    readonly Action: "UserCreated";
    /** Id of the user in the learning platform. */
    readonly UserId: string;
    /** Login name. */
    readonly LoginName: string;
    /** E-mail address. */
    readonly Email: string;
    /** Display name. */
    readonly Title: string;
    /** Object id of the user in the directory. */
    readonly DirectoryObjectId?: string;
    /** True when the account was switched off or removed. */
    readonly IsDeleted: boolean;
    /** Values of custom fields. */
    readonly UserFieldValues?: readonly {
      /** Id of the custom field. */
      readonly FieldId?: string;
      /** Title of the custom field. */
      readonly FieldTitle?: string;
      /** Value of the custom field. */
      readonly Value?: string;
    }[];
    /** When it happened. */
    readonly TimeStamp: string;
  };
  /** An account was switched off or removed. */
  readonly UserDeleted: {
    /** Name of the event. */
    readonly Action: "UserDeleted";
    /** Id of the user in the learning platform. */
    readonly UserId: string;
    /** Login name. */
    readonly LoginName: string;
    /** E-mail address. */
    readonly Email: string;
    /** Display name. */
    readonly Title: string;
    /** Object id of the user in the directory. */
    readonly DirectoryObjectId?: string;
    /** True when the account was switched off or removed. */
    readonly IsDeleted: boolean;
    /** Values of custom fields. */
    readonly UserFieldValues?: readonly {
      /** Id of the custom field. */
      readonly FieldId?: string;
      /** Title of the custom field. */
      readonly FieldTitle?: string;
      /** Value of the custom field. */
      readonly Value?: string;
    }[];
    /** When it happened. */
    readonly TimeStamp: string;
  };
  /** A course was created. */
  readonly CourseCreated: {
    /** Name of the event. */
    readonly Action: "CourseCreated";
    /** Id of the site that holds the course catalogue. */
    readonly SiteId?: string;
    /** Id of the catalogue within its site. */
    readonly WebId?: string;
    /** Id of the course or training plan. */
    readonly Id: string;
    /** Title of the course or training plan. */
    readonly Title: string;
    /** Where learners open the course. */
    readonly Url?: string;
    /** Kind of training: ELearning, ClassRoom, Webinar or TrainingPlan. */
    readonly CourseType: string;
    /** True when the course is listed in its catalogue. */
    readonly Published: boolean;
    /** When it happened. */
    readonly TimeStamp: string;
  };
  /** A course was deleted. */
  readonly CourseDeleted: {
    /** Name of the event. */
    readonly Action: "CourseDeleted";
    /** Id of the site that holds the course catalogue. */
    readonly SiteId?: string;
    /** Id of the catalogue within its site. */
    readonly WebId?: string;
    /** Id of the course or training plan. */
    readonly Id: string;
    /** Title of the course or training plan. */
    readonly Title: string;
    /** Where learners open the course. */
    readonly Url?: string;
    /** Kind of training: ELearning, ClassRoom, Webinar or TrainingPlan. */
    readonly CourseType: string;
    /** True when the course is listed in its catalogue. */
    readonly Published: boolean;
    /** When it happened. */
    readonly TimeStamp: string;
  };
};
