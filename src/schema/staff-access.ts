// What staff of the installation may see of an account.
import { listStaffAccess, type NamedStaffAccess } from '#/db/staff-access.ts';
import { MAX_STAFF_ACCESS_HOURS, MAX_STAFF_REASON, STAFF_REQUEST_DAYS } from '#/domain/identity/rules.ts';
import { encodeId } from '#/domain/ids.ts';
import { staffAccessState } from '#/domain/staff-access.ts';
import { answerStaffAccessRequest } from '#/resolvers/staff-access/answer-staff-access-request.ts';
import { endStaffAccess } from '#/resolvers/staff-access/end-staff-access.ts';
import { openComplianceReview } from '#/resolvers/staff-access/open-compliance-review.ts';
import { requestStaffAccess } from '#/resolvers/staff-access/request-staff-access.ts';
import { revokeStaffAccess } from '#/resolvers/staff-access/revoke-staff-access.ts';
import { Account } from './account.ts';
import { builder, guarded } from './builder.ts';
import { visitorOf, within } from './context.ts';
import { resultUnion } from './errors.ts';
import { onAccount, onId } from './guards.ts';
import { uuidOf } from './ids.ts';
import { IdInput } from './inputs.ts';
import { callerAt } from './locate.ts';

const StaffAccessState = builder.enumType('StaffAccessState', {
  description: 'Whether one of the staff may look.',
  values: {
    REQUESTED: { description: `The owner has not answered; after ${STAFF_REQUEST_DAYS} days the request ends.` },
    ACTIVE: { description: 'The owner has let them in.' },
    DENIED: { description: 'The owner has not let them in.' },
    EXPIRED: { description: 'Its time is over.' },
    REVOKED: { description: 'It was ended before its time.' },
    COMPLIANCE_REVIEW: { description: 'They look without being let in, bodies of messages included.' },
  } as const,
});

const StaffAccessGrant = builder.objectRef<NamedStaffAccess>('StaffAccessGrant').implement({
  description: 'Staff of the installation see an account only while such a grant is in force, and change nothing.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, sta_….', resolve: ({ id }) => encodeId('staffAccess', id) }),
    staff: t.exposeString('email', { description: 'Address of who looks.' }),
    reason: t.exposeString('reason', { description: 'Why.' }),
    complianceReview: t.exposeBoolean('complianceReview', {
      description: 'It needs no answer: the law, or the terms of the installation, ask for it.',
    }),
    hours: t.exposeInt('hours', { description: 'For how long it was asked.' }),
    state: t.field({
      type: StaffAccessState,
      description: 'Whether they may look.',
      resolve: (grant, _args, { deps }) => staffAccessState(grant, deps.clock.now()),
    }),
    requestedAt: t.expose('requestedAt', { type: 'DateTime', description: 'When it was asked for, or opened.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it ends by itself; null where it never began.',
    }),
  }),
});

builder.objectField(Account, 'staffAccess', (t) =>
  t.withAuth(onAccount('staffAccess.read')).field({
    type: [StaffAccessGrant],
    description: guarded('staffAccess.read', 'Requests, grants and compliance reviews, newest first; the last 200.'),
    resolve: ({ id }, _args, context) => listStaffAccess(within(context, id).scope),
  }),
);

const StaffAccessInput = builder.inputType('StaffAccessInput', {
  description: 'What one of the staff wants to see.',
  fields: (t) => ({
    accountId: t.id({ description: 'The account.' }),
    reason: t.string({ description: `Why; the owner reads it. At most ${MAX_STAFF_REASON} characters.` }),
    hours: t.int({ description: `For how long, 1 to ${MAX_STAFF_ACCESS_HOURS}.` }),
  }),
});

const AnswerStaffAccessInput = builder.inputType('AnswerStaffAccessInput', {
  description: 'The answer to a request.',
  fields: (t) => ({
    id: t.id({ description: 'The request.' }),
    grant: t.boolean({ description: 'Whether they are let in.' }),
    hours: t.int({
      required: false,
      description: `For how long, 1 to ${MAX_STAFF_ACCESS_HOURS}; as was asked for unless given.`,
    }),
  }),
});

const RequestStaffAccessResult = resultUnion(
  'RequestStaffAccessResult',
  StaffAccessGrant,
  requestStaffAccess,
  'The request, or why there is none.',
);
const OpenComplianceReviewResult = resultUnion(
  'OpenComplianceReviewResult',
  StaffAccessGrant,
  openComplianceReview,
  'The review, or why there is none.',
);
const EndStaffAccessResult = resultUnion(
  'EndStaffAccessResult',
  StaffAccessGrant,
  endStaffAccess,
  'What has ended, or why it has not.',
);
const AnswerStaffAccessResult = resultUnion(
  'AnswerStaffAccessResult',
  StaffAccessGrant,
  answerStaffAccessRequest,
  'The answered request, or why it is not.',
);
const RevokeStaffAccessResult = resultUnion(
  'RevokeStaffAccessResult',
  StaffAccessGrant,
  revokeStaffAccess,
  'The revoked grant, or why it is not.',
);

const forStaff = { staff: true, proved: true } as const;

builder.mutationFields((t) => ({
  requestStaffAccess: t.withAuth(forStaff).field({
    type: RequestStaffAccessResult,
    nullable: true,
    description:
      'Asks the owner of an account to be let in; the owner is told by mail. For staff of the installation, with a fresh proof of identity.',
    extensions: { cost: 20 },
    args: { input: t.arg({ type: StaffAccessInput, description: 'What, why, for how long.' }) },
    resolve: (_root, { input }, context) =>
      requestStaffAccess(context.deps, visitorOf(context), { ...input, accountId: uuidOf('account', input.accountId) }),
  }),
  openComplianceReview: t.withAuth(forStaff).field({
    type: OpenComplianceReviewResult,
    nullable: true,
    description:
      'Looks at an account without being let in, bodies of messages included; the owner is told by mail at once. For staff of the installation, with a fresh proof of identity.',
    extensions: { cost: 20 },
    args: { input: t.arg({ type: StaffAccessInput, description: 'What, why, for how long.' }) },
    resolve: (_root, { input }, context) =>
      openComplianceReview(context.deps, visitorOf(context), {
        ...input,
        accountId: uuidOf('account', input.accountId),
      }),
  }),
  endStaffAccess: t.withAuth({ staff: true }).field({
    type: EndStaffAccessResult,
    nullable: true,
    description: "Ends a request, grant or review of the caller's own before its time. For staff of the installation.",
    args: { input: t.arg({ type: IdInput, description: 'What is to end.' }) },
    resolve: (_root, { input }, context) =>
      endStaffAccess(context.deps, visitorOf(context), { id: uuidOf('staffAccess', input.id) }),
  }),
  answerStaffAccessRequest: t.withAuth(onId(answerStaffAccessRequest, 'staffAccess', 'input.id')).field({
    type: AnswerStaffAccessResult,
    nullable: true,
    description: guarded(
      answerStaffAccessRequest.permission,
      'Lets one of the staff of the installation in for a time, or does not. Needs a fresh proof of identity.',
    ),
    extensions: { cost: 20 },
    args: { input: t.arg({ type: AnswerStaffAccessInput, description: 'The answer.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('staffAccess', input.id);
      const caller = await callerAt(context, answerStaffAccessRequest.permission, 'staffAccess', id);
      const { grant, hours } = input;
      return answerStaffAccessRequest(context.deps, caller, { id, grant, hours: hours ?? null });
    },
  }),
  revokeStaffAccess: t.withAuth(onId(revokeStaffAccess, 'staffAccess', 'input.id')).field({
    type: RevokeStaffAccessResult,
    nullable: true,
    description: guarded(
      revokeStaffAccess.permission,
      'Ends what one of the staff was let in for, at once. Needs a fresh proof of identity.',
    ),
    args: { input: t.arg({ type: IdInput, description: 'The grant.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('staffAccess', input.id);
      const caller = await callerAt(context, revokeStaffAccess.permission, 'staffAccess', id);
      return revokeStaffAccess(context.deps, caller, { id });
    },
  }),
}));
