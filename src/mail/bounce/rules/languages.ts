// The reasons in the languages in which mail systems give them. Pieces of patterns, a line a language; read with `foldAccents`
// on both sides, so that "boîte" and "boite" are one.

/** Also what a careless system made of it: accents are left out more often than not. Hangul and kana stay whole. */
export function foldAccents(text: string): string {
  return text
    .normalize('NFD')
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC');
}

function anyOf(...lines: readonly string[]): RegExp {
  return new RegExp(foldAccents(lines.join('|')), 'u');
}

export const fullAbroad = anyOf(
  "bo[iî]te.{0,40}(?:pleine|satur|rempli)|messagerie.{0,40}(?:pleine|satur)|quota.{0,30}(?:d.pass|atteint)|d.pass.{0,30}quota|espace (?:disque |de stockage )?insuffisant|n'a plus d'espace",
  'buz[oó]n.{0,40}(?:llen|exced|super|sin espacio)|casilla.{0,40}(?:llen|exced)|cuota|espacio (?:de almacenamiento )?(?:insuficiente|agotado)|sin espacio|bandeja.{0,30}llena',
  'caixa.{0,40}(?:chei|lotad|exced|sem espa[cç]o)|cota\\b.{0,20}(?:exced|ating)|espa[cç]o (?:insuficiente|esgotado)',
  'casella.{0,40}(?:pien|super|satur|esaurit)|spazio.{0,30}(?:esaurit|insufficient|disposizione)|quota.{0,20}superat',
  '(?:postfach|mailbox|posteingang|speicher\\w{0,15}|quota|kontingent)\\b.{0,40}(?:\\bvoll\\b|[uü]berf[uü]llt|[uü]berschritten|ersch[oö]pft|erreicht)|speicherplatz',
  'postvak.{0,30}\\bvol\\b|mailbox.{0,20}\\bvol\\b|quotum.{0,20}overschreden|(?:inkorg|brevl[aå]d|postl[aå]d)\\w{0,15}.{0,30}full|(?:postkasse|postboks|indbakke|innboks)\\w{0,15}.{0,30}(?:fuld|full)|postilaatikko.{0,30}t[aä]ynn',
  'skrzynk\\w{0,15}.{0,40}(?:pe[lł]n|przepe[lł]nion|przekroc)|przekroczon.{0,30}(?:limit|quota)|schr[aá]nk\\w{0,15}.{0,40}pln|posta ?l[aá]da.{0,30}(?:megtelt|tele)|cutia.{0,30}plin|sandu[cč]e.{0,30}pun',
  'переполнен|превышен.{0,30}(?:квот|размер ящик|объ[её]м|лимит)|квот|нет места|закончилось место|переповнен|(?:γραμματοκιβ|θυρίδα).{0,30}(?:γεμάτ|πλήρ)',
  '(?:posta )?kutusu.{0,30}dolu|kota.{0,20}(?:a[sş][ıi]l|dolu)|hộp thư.{0,20}đầy|kotak (?:surat|masuk).{0,20}penuh|תיב\\S{0,40} .{0,15}מלא|ممتلئ',
  '満杯|一杯|いっぱい|容量.{0,12}(?:超|不足|オーバー|上限)|容量|已满|空间不足|空间已|超过.{0,10}(?:容量|配额)|已滿|空間不足|超過.{0,8}容量|용량.{0,10}(?:초과|부족)|(?:메일함|사서함|편지함).{0,10}(?:가득|꽉)',
);

export const disabledAbroad = anyOf(
  'comptes? (?:\\S{1,40} ){0,4}(?:d[ée]sactiv|suspendu|inactif|bloqu|ferm|cl[oô]tur|r[ée]sili)|bo[iî]te.{0,30}(?:d[ée]sactiv|suspendu|inactive|bloqu|ferm)',
  '(?:cuenta|buz[oó]n|casilla|usuario)\\b.{0,50}(?:desactivad|deshabilitad|suspendid|inactiv|bloquead|cancelad|cerrad|expirad|caducad)',
  '(?:conta|caixa|usu[aá]rio)\\b.{0,50}(?:desativad|desabilitad|suspens|inativ|bloquead|cancelad|encerrad)',
  '(?:casella|account|utente|utenza)\\b.{0,50}(?:disattivat|disabilitat|sospes|inattiv|bloccat|chius|scadut)',
  '(?:konto|postfach|account|adresse|mailbox|benutzer)\\b.{0,40}(?:gesperrt|deaktiviert|inaktiv|geschlossen|stillgelegt|abgeschaltet|gek[uü]ndigt|nicht (?:mehr )?aktiv)',
  '(?:account|postvak|mailbox)\\b.{0,30}(?:geblokkeerd|uitgeschakeld|opgeheven|gedeactiveerd)|(?:konto|l[aå]da)\\w{0,15}.{0,30}(?:inaktiver|avst[aä]ng|sp[aä]rr|deaktiver|sperret|lukket)|tili.{0,20}(?:suljettu|lukittu)',
  '(?:konto|skrzynk\\w{0,15}).{0,30}(?:zablokowan|nieaktywn|zawieszon|wy[lł][aą]czon)|[uú][cč]et.{0,20}(?:zablokov|zru[sš]en|neaktivn)|fi[oó]k.{0,20}(?:letiltva|felf[uü]ggeszt|inakt[ií]v)|cont.{0,10}(?:suspendat|dezactivat)',
  'заблокирован|отключ[её]н|деактивирован|приостановлен|неактив|заблоковано|απενεργοποι',
  'hesa(?:p|b\\S{1,3}).{0,20}(?:kapat|ask[ıi]ya|devre d[ıi][sş])|停止|休止|凍結|解約|停用|冻结|凍結|禁用|휴면|정지|중지|사용이 중단',
);

export const movedAbroad = anyOf(
  "(?:a|ont) d[ée]m[ée]nag|nouvelle adresse|a chang[ée] d'adresse|nueva direcci[oó]n|ha cambiado (?:de|su) (?:direcci[oó]n|correo)|novo (?:endere[cç]o|e-?mail)|nuovo indirizzo|neue (?:e-?mail-?)?adresse|adresse hat sich ge[aä]ndert|nieuw (?:e-?mail ?)?adres|ny (?:e-?post|e-?mail)?adress",
  'nowy adres|nov[aáeé] adres|новый адрес|yeni adres|アドレス(?:を|が)変更|新しい(?:メール)?アドレス|新(?:的)?(?:邮箱|邮件)?地址',
);

export const unknownAbroad = anyOf(
  "inconnue?s?\\b|introuvable|inexistante?s?\\b|n'?existe (?:pas|plus)|n'?est (?:pas|plus) (?:connu|valide|r[ée]pertori|actif)|aucun(?:e)? (?:utilisateur|destinataire|bo[iî]te|compte|adresse)|(?:adresse|destinataire).{0,40}(?:invalide|incorrecte?|erron)",
  'inexist|desconocid|no existe|no (?:se )?(?:ha )?(?:encontr|localiz|pudo encontrar)|no (?:es )?v[aá]lid[oa]|inv[aá]lid[oa]|no (?:est[aá] )?registrad',
  'desconhecid|n[aã]o (?:existe|foi (?:encontrad|localizad)|encontrad|localizad|cadastrad|consta)',
  'sconosciut|inesist|non (?:esist|trovat|valid|presente|[eè] stato trovato)',
  'unbekannt|existiert (?:hier )?nicht|nicht (?:gefunden|bekannt|vorhanden|existent|existiert|eingerichtet|mehr (?:g[uü]ltig|vorhanden|erreichbar))|ung[uü]ltige?r? (?:empf[aä]nger|adresse)|kein(?:e|en)? (?:postfach|mailbox|benutzer|empf[aä]nger|konto|solche[rsn]?)|gibt es (?:hier )?nicht',
  'onbekend|bestaat niet|niet (?:gevonden|bekend)|ongeldig\\w{0,15} (?:adres|ontvanger)|\\bok[aä]nd|finns (?:inte|ej)|hittades inte|ukendt|ukjent|find(?:es|t) ikke|finnes ikke|eksisterer ikke|ikke fund\\w{1,25}|tuntematon|ei (?:ole olemassa|l[oö]ydy)',
  'nieznan|nie (?:istnieje|ma takiego|znalezion|odnalezion|zosta[lł]o? znalezion)|nezn[aá]m|neexistuj|nenalezen|nen[aá]jden|ismeretlen|nem (?:l[eé]tezik|tal[aá]lhat[oó])|necunoscut|nu exist[aă]|ne postoji|nepoznat|ne obstaja',
  'не (?:существует|найден|зарегистрирован|обнаружен|існує|знайден|съществува|постоји)|нет такого|такого .{0,25}\\bнет|неизвест|несуществующ|невідом|неизвестен|[αά]γνωστο|δεν (?:υπάρχει|βρέθηκε)',
  "nicht im .{0,25}verzeichnis|(?:ne figure|n'est|non r[ée]pertori).{0,40}annuaire|no (?:figura|aparece).{0,40}directorio|non .{0,20}nella rubrica|niet .{0,25}adresboek|ディレクトリ.{0,12}ありません",
  'bulunamad|b[oö]yle bir|mevcut de[gğ]il|ge[cç]ersiz (?:al[ıi]c[ıi]|adres)|không (?:tồn tại|tìm thấy)|tidak (?:ditemukan|ada|dikenal)|ไม่พบ|ไม่มี(?:ผู้ใช้|บัญชี)|לא (?:קיים|קיימת|נמצא)|غير (?:موجود|معروف)',
  '存在しま|存在しな|実在しな|見つかりま|見つから|宛先不明|あて先不明|該当|ユーザ.{0,8}(?:不明|いません|ありません)|宛先.{0,12}(?:誤|間違|正しくあり)|不明な(?:ユーザ|宛先|アドレス)',
  '不存在|无此|無此|查无|查無|找不到|没有(?:此|这个|該)|沒有(?:此|這個)|(?:收件人|地址|用户).{0,10}(?:无效|無效|错误|錯誤|有误)|未找到|없는|존재하지|찾을 수 없|알 수 없는|잘못된 (?:주소|사용자|수신|메일)',
);

export const laterAbroad = anyOf(
  'r[ée]essayer|plus tard|int[eé]ntelo|m[aá]s tarde|tente (?:novamente|mais tarde)|mais tarde|riprova|pi[uù] tardi|sp[aä]ter|later opnieuw|f[oö]rs[oö]k igen|senere|sp[oó][zź]niej|pozd[eě]ji|k[eé]s[oő]bb|позже|позднее|пізніше|daha sonra',
  'しばらく|後ほど|再度(?:お試し|送信)|再送|稍后|稍後|重试|重試|나중에|다시 시도',
  'd[ée]lai (?:d[ée]pass|expir)|tempor[aá]ire?ment|temporalmente|temporariamente|temporaneamente|vor[uü]bergehend|zeitweilig|tijdelijk|tillf[aä]llig|midlertidig|tymczasow|do[cč]asn|временно|тимчасово|ge[cç]ici|一時的|临时|暫時|暂时|일시적',
);

export const sizeAbroad = anyOf(
  'trop (?:gros|volumineu|grand|lourd)|taille.{0,40}(?:d[ée]pass|exc[eè]d|maxim)|demasiado grande|tama[nñ]o.{0,40}(?:exced|m[aá]xim|super)|muito grande|tamanho.{0,40}(?:exced|m[aá]xim)|troppo grande|dimension\\w{0,15}.{0,30}(?:superat|massim|eccess)',
  'zu gro(?:ss|ß)|(?:gr[oö][sß]{1,3}e|nachrichtengr\\S{1,40}).{0,40}(?:[uü]berschr|maxim)|te groot|f[oö]r stort?|for stor|za du[zż]|zbyt du[zż]|p[rř][ií]li[sš] velk|t[uú]l nagy|слишком больш|размер.{0,30}превыша|çok büyük',
  'サイズ.{0,15}(?:超|大き|制限)|大きすぎ|(?:邮件|郵件).{0,12}(?:过大|太大|過大)|超过.{0,10}大小|크기.{0,12}(?:초과|큽)',
);

export const spamAbroad = anyOf(
  'ind[ée]sirable|courrier non sollicit|pourriel|no desead|no solicitad|n[aã]o solicitad|indesejad|indesiderat|non richiest|unerw[uü]nscht|ongewenst|o[oö]nskad|u[oø]nsk|niechcian|nevy[zž][aá]dan|istenmeyen|спам|垃圾|迷惑|スパム|스팸',
);

export const virusAbroad = anyOf(
  '(?:contient|contiene|cont[eé]m|enth[aä]lt|bevat|inneh[aå]ller|zawiera|obsahuje|содержит|i[cç]eriyor).{0,25}(?:virus|v[ií]rus|wirus|вирус)|(?:ウイルス|ウィルス|病毒|바이러스)|вирус.{0,20}(?:обнаруж|найден)|virus (?:d[ée]tect|detectad|rilevat|gefunden|entdeckt|erkannt)',
);

export const senderAbroad = anyOf(
  '(?:exp[ée]diteur|[ée]metteur).{0,40}(?:refus|bloqu|rejet|interdit|inconnu|invalide|non autoris)|(?:remitente|remetente|mittente).{0,40}(?:rechaz|rejeit|rifiut|bloque|bloccat|no (?:est[aá] )?(?:permit|autoriz)|n[aã]o (?:permit|autoriz)|non (?:permess|autorizz)|inv[aá]lid|desconocid|desconhecid|sconosciut)',
  'absender.{0,40}(?:abgelehnt|gesperrt|blockiert|nicht (?:erlaubt|zugelassen|akzeptiert|berechtigt)|unbekannt|ung[uü]ltig)|afzender.{0,30}(?:geweigerd|geblokkeerd|onbekend|niet toegestaan)|avs[aä]ndar\\w{0,15}.{0,30}(?:nekad|sp[aä]rrad|blocker)|nadawc\\w{0,15}.{0,30}(?:odrzuc|zablok)|отправител.{0,40}(?:отклон|запрещ|заблок|не существ)',
  '(?:送信者|差出人|发件人|發件人|寄件[人者]|발신자|보낸 ?사람).{0,20}(?:拒否|拒绝|拒絕|無効|禁止|不正|차단|거부)',
);

export const blockedAbroad = anyOf(
  '(?:\\bip\\b|serveur|h[oô]te|connexion).{0,30}(?:bloqu[ée]|refus[ée]|rejet[ée]|interdit)|(?:servidor|direcci[oó]n ip|endere[cç]o ip|conexi[oó]n|conex[aã]o).{0,30}(?:bloquead|rechazad|rejeitad|recusad|denegad)|liste? (?:noire|negra|nera)|schwarze liste|(?:server|ip-?adresse|verbindung).{0,30}(?:gesperrt|blockiert|abgelehnt|verweigert)|черн\\w{1,25} спис|чёрн\\w{1,25} спис|黑名单|黑名單|ブラックリスト|블랙리스트',
);

export const refusedAbroad = anyOf(
  'refus[ée]|rejet[ée]|interdit|non autoris[ée]|pas autoris[ée]|rechazad|denegad|no permitid|no autorizad|rejeitad|recusad|negad[oa]\\b|n[aã]o (?:permitid|autorizad)|rifiutat|respint|non (?:permess|autorizz|consentit)|abgelehnt|abgewiesen|verweigert|zur[uü]ckgewiesen|nicht (?:erlaubt|zugelassen|gestattet|akzeptiert)|geweigerd|niet toegestaan|nekad|avvisad|avvist|afvist|odrzucon|zabronion|odm[ií]tnut|elutas[ií]t|respins|отклонен|отказ|запрещ|не принят|reddedil',
  '拒否|拒绝|拒絕|受信できま|被拒|거부|차단|수신 ?거부',
);
