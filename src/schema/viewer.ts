// Who is calling.
import type { Caller } from '#/resolvers/define.ts';
import { builder } from './builder.ts';
import { loadersOf } from './loaders.ts';
import { ApiToken } from './token.ts';

const ViewerKind = builder.enumType('ViewerKind', {
  description: 'What a caller is.',
  values: {
    USER: { description: 'A person who signed in.' },
    ACCOUNT_TOKEN: { description: 'A program with a token of the account.' },
    SERVER_TOKEN: { description: 'A program with a token of one server.' },
    OPERATOR: { description: 'The operator of the installation.' },
  } as const,
});

const Viewer = builder.objectRef<Caller>('Viewer').implement({
  description: 'Who is calling.',
  fields: (t) => ({
    kind: t.field({ type: ViewerKind, description: 'What the caller is.', resolve: ({ actor }) => actor.kind }),
    token: t.field({
      type: ApiToken,
      nullable: true,
      description: 'The token that is used; null for a caller without one.',
      resolve: ({ actor }, _args, context) =>
        actor.kind === 'OPERATOR' ? null : loadersOf(context).token.load(actor.tokenId),
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: Viewer,
    nullable: true,
    description: 'Who is calling; null for nobody.',
    authScopes: { public: true },
    resolve: (_root, _args, { caller }) => caller,
  }),
);
