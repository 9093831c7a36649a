// The pages behind mailed and printed links, as a table: for people in a browser, until there is more of one. What they do
// is done by the use-cases of the API, handed in as `LinkActions`.
import { ADVISED_CHARACTERS, MIN_CHARACTERS } from '#/domain/password/password-rules.ts';
import type { Visitor } from '#/resolvers/visitor.ts';
import type { Field, Form } from './form.ts';

/** One page's: `A`: what its link is about; `V`: names of its fields; `O`: of those that it has at times. */
export interface LinkAction<A, V extends string, O extends string = never> {
  /** Null: the link is not, or no longer, good. Changes nothing. */
  find(secret: string): Promise<A | null>;
  /** Fails with the errors of its use-case; those of fields are shown beside them. */
  submit(visitor: Visitor, secret: string, values: Values<V, O>): Promise<object>;
}

type Values<V extends string, O extends string> = Readonly<Record<V, string> & Partial<Record<O, string>>>;

export interface InvitationFacts {
  readonly email: string;
  readonly accountName: string;
  /** Somebody signs in with the address already, and gives the password that they have. */
  readonly known: boolean;
}

export interface LinkActions {
  readonly setup: LinkAction<object, 'email' | 'name' | 'password'>;
  readonly invitation: LinkAction<InvitationFacts, 'password', 'name'>;
  readonly resetPassword: LinkAction<{ readonly email: string }, 'password'>;
  readonly confirmEmail: LinkAction<{ readonly email: string }, never>;
  readonly confirmContact: LinkAction<{ readonly email: string; readonly accountName: string }, never>;
  readonly signUp: LinkAction<{ readonly email: string }, 'name' | 'password' | 'accountName'>;
}

/** A page with its link found. */
export interface FoundPage {
  readonly title: string;
  readonly intro: string;
  readonly form: Form;
  readonly done: string;
  submit(visitor: Visitor, values: Readonly<Record<string, string>>): Promise<object>;
}

type Find = (actions: LinkActions, secret: string) => Promise<FoundPage | null>;

function page<A, V extends string, O extends string>(
  actionOf: (actions: LinkActions) => LinkAction<A, V, O>,
  show: (about: A) => Omit<FoundPage, 'submit' | 'form'> & {
    readonly button: string;
    readonly fields: readonly Field<V | O>[];
    readonly username?: string;
  },
): Find {
  return async (actions, secret) => {
    const action = actionOf(actions);
    const about = await action.find(secret);
    if (about === null) return null;
    const { fields, button, username = null, ...texts } = show(about);
    return {
      ...texts,
      form: { fields, button, username },
      // Read by the names of `fields`, which are all there are.
      submit: (visitor, values) => action.submit(visitor, secret, values as Values<V, O>),
    };
  };
}

const nameField: Field<'name'> = { name: 'name', label: 'Your name', type: 'text', autocomplete: 'name' };
const newPassword: Field<'password'> = {
  name: 'password',
  label: 'Password',
  type: 'password',
  autocomplete: 'new-password',
  hint: `At least ${MIN_CHARACTERS} characters, better ${ADVISED_CHARACTERS} or more. Spaces are welcome.`,
};
const currentPassword: Field<'password'> = {
  name: 'password',
  label: 'Your password',
  type: 'password',
  autocomplete: 'current-password',
};

const SIGNED_IN = 'You are signed in on this browser. You can close this page.';

/** By the first part of the path. */
export const linkPages: Readonly<Record<string, Find>> = {
  setup: page(
    ({ setup }) => setup,
    () => ({
      title: 'Set up Veredus',
      intro: 'Whoever fills this in owns the first account of this installation. The link is good for one use.',
      fields: [{ name: 'email', label: 'Address', type: 'email', autocomplete: 'email' }, nameField, newPassword],
      button: 'Make me the owner',
      done: `You own the first account. ${SIGNED_IN}`,
    }),
  ),
  invitation: page(
    ({ invitation }) => invitation,
    ({ email, accountName, known }) => ({
      title: `Join ${accountName}`,
      intro: known
        ? `You are invited to ${accountName}. You sign in here already: give your password to join.`
        : `You are invited to ${accountName}. Choose a name and a password to join.`,
      username: email,
      fields: known ? [currentPassword] : [nameField, newPassword],
      button: 'Join',
      done: `You are a member of ${accountName}. ${SIGNED_IN}`,
    }),
  ),
  'reset-password': page(
    ({ resetPassword }) => resetPassword,
    ({ email }) => ({
      title: 'Set a new password',
      intro:
        'All your sessions will end. Then sign in with the new password, and with your second factor if you have one.',
      username: email,
      fields: [{ ...newPassword, label: 'New password' }],
      button: 'Set the password',
      done: 'Your password is set. Sign in with it now.',
    }),
  ),
  'confirm-email': page(
    ({ confirmEmail }) => confirmEmail,
    ({ email }) => ({
      title: 'Confirm your new address',
      intro: `Do you want to sign in as ${email} from now on? If you know nothing of this, close the page: nothing happens.`,
      fields: [],
      button: 'Yes, confirm',
      done: `Sign in as ${email} from now on. You can close this page.`,
    }),
  ),
  'confirm-contact': page(
    ({ confirmContact }) => confirmContact,
    ({ email, accountName }) => ({
      title: 'Confirm your address',
      intro: `May we write to ${email} when something is wrong with the account ${accountName}? If you know nothing of this, close the page: nothing happens.`,
      fields: [],
      button: 'Yes, confirm',
      done: `${email} is an emergency contact of ${accountName} now. You can close this page.`,
    }),
  ),
  'sign-up': page(
    ({ signUp }) => signUp,
    ({ email }) => ({
      title: 'Sign up',
      intro: 'Choose a name and a password for yourself, and a name for your account.',
      username: email,
      fields: [
        nameField,
        newPassword,
        { name: 'accountName', label: 'Name of the account', type: 'text', autocomplete: 'organization' },
      ],
      button: 'Sign up',
      done: `Your account is made. ${SIGNED_IN}`,
    }),
  ),
};
