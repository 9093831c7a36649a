// Rules of servers.

export const MAX_SERVER_NAME = 100;

export const serverColors = ['PURPLE', 'BLUE', 'TURQUOISE', 'GREEN', 'RED', 'ORANGE', 'YELLOW', 'GREY'] as const;
export type ServerColor = (typeof serverColors)[number];
export const DEFAULT_COLOR: ServerColor = 'GREY';

export const deliveryTypes = ['LIVE', 'SANDBOX'] as const;
export type DeliveryType = (typeof deliveryTypes)[number];

export const linkTrackings = ['NONE', 'HTML_AND_TEXT', 'HTML_ONLY', 'TEXT_ONLY'] as const;
