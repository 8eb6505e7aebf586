// What the page says by itself, in English and French. What is said of a connection comes from the API.

export const WORDS = {
  en: {
    local: "local stack", as: "Signed in as", language: "Language", others: "Your other connections",
    bank: "Bank", updated: "last change {0}", reference: "Reference {0}", cancel: "Cancel", reconnect: "Connect again",
    // Each state: its title, its sentence, its button.
    states: {
      loading: ["One moment…", "Looking for your connections."],
      start: ["Connect your bank account", "You sign in at your bank through Flinks Connect. This page never sees your username or password.", "Connect a bank account"],
      connecting: ["Sign in at your bank", "Flinks Connect opens below."],
      processing: ["Collecting your accounts", "You may close this page: the work goes on, and the result waits here."],
      ready: ["You are connected", "", "Connect another account"],
      action_required: ["Your bank needs you again", ""],
      failed: ["That did not work", ""],
      gone: ["This connection was erased", "It was deleted on request, and its data with it. Ask support before you connect this account again."],
      unavailable: ["The service does not answer", "Please keep this page open, wait a moment, then try again.", "Try again"],
      refused: ["That did not work", "Please start again. If it happens once more, contact support.", "Start again"],
      signed_out: ["You have been signed out", "Sign in again, then come back to this page. What you have connected is kept.", "Try again"],
    },
    status: { processing: "collecting", ready: "connected", action_required: "needs you", failed: "failed", deleting: "being erased", deleted: "erased" },
  },
  fr: {
    local: "pile locale", as: "Session de", language: "Langue", others: "Vos autres connexions",
    bank: "Banque", updated: "dernier changement {0}", reference: "Référence {0}", cancel: "Annuler", reconnect: "Se reconnecter",
    states: {
      loading: ["Un instant…", "Recherche de vos connexions."],
      start: ["Connectez votre compte bancaire", "Vous vous identifiez auprès de votre banque dans Flinks Connect. Cette page ne voit jamais votre nom d’utilisateur ni votre mot de passe.", "Connecter un compte bancaire"],
      connecting: ["Identifiez-vous auprès de votre banque", "Flinks Connect s’ouvre ci-dessous."],
      processing: ["Collecte de vos comptes", "Vous pouvez fermer cette page : le travail continue, et le résultat vous attend ici."],
      ready: ["Vous êtes connecté", "", "Connecter un autre compte"],
      action_required: ["Votre banque a besoin de vous", ""],
      failed: ["Cela n’a pas fonctionné", ""],
      gone: ["Cette connexion a été effacée", "Elle a été supprimée sur demande, avec ses données. Consultez le soutien avant de reconnecter ce compte."],
      unavailable: ["Le service ne répond pas", "Gardez cette page ouverte, patientez un moment, puis réessayez.", "Réessayer"],
      refused: ["Cela n’a pas fonctionné", "Veuillez recommencer. Si cela se reproduit, joignez le soutien.", "Recommencer"],
      signed_out: ["Votre session a pris fin", "Identifiez-vous de nouveau, puis revenez à cette page. Ce que vous avez connecté est conservé.", "Réessayer"],
    },
    status: { processing: "collecte en cours", ready: "connecté", action_required: "a besoin de vous", failed: "échec", deleting: "effacement en cours", deleted: "effacée" },
  },
};
