/** What set-up can't do by itself: `message` is one line that says what is missing and what to do about it. */
export class SetupProblem extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "SetupProblem";
  }
}
