//! Refusals of the service and management planes, with IoT Hub's six-digit codes.

use hilarm_model::{DeviceId, ModuleId};

use super::Right;

/// A refusal of the service side, with IoT Hub's code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// 400004: an argument is out of bounds or malformed.
    #[error("ErrorCode:ArgumentInvalid;{0}")]
    ArgumentInvalid(String),
    /// 400015: the correlation id names no upload of the device.
    #[error("ErrorCode:InvalidFileUploadCorrelationId;{0}")]
    InvalidFileUploadCorrelationId(String),
    /// 400016: the upload's time is over.
    #[error("ErrorCode:ExpiredFileUploadCorrelationId;{0}")]
    ExpiredFileUploadCorrelationId(String),
    /// 400027: the device connected once more, so the connection that a direct method had gone out over ended.
    #[error("ErrorCode:ConnectionForcefullyClosedOnNewConnection;{0}")]
    ConnectionForcefullyClosedOnNewConnection(DeviceId),
    /// 401002: the caller lacks a right, or the operation needs a device that exists and is enabled.
    #[error("ErrorCode:IotHubUnauthorizedAccess;{0}")]
    UnauthorizedAccess(String),
    /// 403000: a caller of the management plane lacks a right.
    #[error("AuthorizationFailed: {caller} does not have {right}")]
    Forbidden {
        /// The caller.
        caller: String,
        /// What it lacks.
        right: Right,
    },
    /// 403000: the blob store knows no such signature, or its time is over.
    #[error("AuthenticationFailed: {0}")]
    BlobNotAuthenticated(String),
    /// 403002: the hub's messages of the day are used up, until the next day by UTC.
    #[error(
        "ErrorCode:IotHubQuotaExceeded;at most {messages_max} messages a day, {messages} so far; send and \
         receive operations are blocked until the next UTC day"
    )]
    QuotaExceeded {
        /// The limit.
        messages_max: u64,
        /// How many there were.
        messages: u64,
    },
    /// 403004: the device's queue is full.
    #[error("ErrorCode:DeviceMaximumQueueDepthExceeded;{0}")]
    DeviceMaximumQueueDepthExceeded(DeviceId),
    /// 403006: the device has too many file uploads under way.
    #[error("ErrorCode:DeviceMaximumActiveFileUploadLimitExceeded;{0}")]
    DeviceMaximumActiveFileUploadLimitExceeded(DeviceId),
    /// 404001: no such device.
    #[error("ErrorCode:DeviceNotFound;{0}")]
    DeviceNotFound(DeviceId),
    /// 404010: no such module.
    #[error("ErrorCode:ModuleNotFound;{0}")]
    ModuleNotFound(ModuleId),
    /// 404008: no such certificate.
    #[error("ErrorCode:CertificateNotFound;{0}")]
    CertificateNotFound(String),
    /// 404000: no such resource of the management plane.
    #[error("ResourceNotFound: {0}")]
    ResourceNotFound(String),
    /// 404103: the device is not connected, or does not listen for methods.
    #[error("ErrorCode:DeviceNotOnline;{0}")]
    DeviceNotOnline(DeviceId),
    /// 404104: the device's connection ended before it answered.
    #[error("ErrorCode:DeviceConnectionClosedRemotely;{0}")]
    DeviceConnectionClosedRemotely(DeviceId),
    /// 409001: what was to be created exists.
    #[error("ErrorCode:DeviceAlreadyExists;{0}")]
    DeviceAlreadyExists(DeviceId),
    /// 409301: the device has such a module already.
    #[error("ErrorCode:ModuleAlreadyExistsOnDevice;{0}")]
    ModuleAlreadyExistsOnDevice(ModuleId),
    /// 412001: the resource is not in the state that the caller expects.
    #[error("ErrorCode:PreconditionFailed;{0}")]
    PreconditionFailed(String),
    /// 412002: nobody holds that lock, or not any more.
    #[error("ErrorCode:DeviceMessageLockLost;{0}")]
    DeviceMessageLockLost(DeviceId),
    /// 412002: nobody holds that lock of what the hub tells the service, or not any more.
    #[error("ErrorCode:DeviceMessageLockLost;{0}")]
    NotificationLockLost(String),
    /// 413001: the message is too large.
    #[error("ErrorCode:MessageTooLarge;at most {bytes_max} bytes")]
    MessageTooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// 429001: the hub is asked faster than it lets itself be asked, and its queue is full.
    #[error("ErrorCode:ThrottlingException;{0}")]
    Throttled(&'static str),
}

impl HubError {
    /// IoT Hub's six-digit code; its first three digits are the HTTP status.
    pub fn code(&self) -> u32 {
        match self {
            Self::ArgumentInvalid(_) => 400_004,
            Self::InvalidFileUploadCorrelationId(_) => 400_015,
            Self::ExpiredFileUploadCorrelationId(_) => 400_016,
            Self::ConnectionForcefullyClosedOnNewConnection(_) => 400_027,
            Self::UnauthorizedAccess(_) => 401_002,
            Self::Forbidden { .. } | Self::BlobNotAuthenticated(_) => 403_000,
            Self::QuotaExceeded { .. } => 403_002,
            Self::DeviceMaximumQueueDepthExceeded(_) => 403_004,
            Self::DeviceMaximumActiveFileUploadLimitExceeded(_) => 403_006,
            Self::ResourceNotFound(_) => 404_000,
            Self::DeviceNotFound(_) => 404_001,
            Self::CertificateNotFound(_) => 404_008,
            Self::ModuleNotFound(_) => 404_010,
            Self::DeviceNotOnline(_) => 404_103,
            Self::DeviceConnectionClosedRemotely(_) => 404_104,
            Self::DeviceAlreadyExists(_) => 409_001,
            Self::ModuleAlreadyExistsOnDevice(_) => 409_301,
            Self::PreconditionFailed(_) => 412_001,
            Self::DeviceMessageLockLost(_) | Self::NotificationLockLost(_) => 412_002,
            Self::MessageTooLarge { .. } => 413_001,
            Self::Throttled(_) => 429_001,
        }
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        u16::try_from(self.code() / 1000).unwrap_or(500)
    }
}
